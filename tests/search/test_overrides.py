from __future__ import annotations

import pytest

from data_prep.errors import InputError
from search.config import load_sweep_config
from tests.search.conftest import SweepFiles


def test_overrides_take_dotted_keys_and_yaml_values(files: SweepFiles) -> None:
    overrides = ["train.epochs=4", "resources.gpus=0.5", "sampler.members={tpe: {}}", "hyp=null"]
    config = load_sweep_config(files.write(), overrides)
    assert config.epochs == 4
    assert config.resources.gpus == 0.5
    assert list(config.sampler.members) == ["tpe"]


@pytest.mark.parametrize("override", ["train.epochs", "=3", "train..x=1", "trials.x=1", "trials=[1", "no_such=1"])
def test_a_wrong_override_is_named(files: SweepFiles, override: str) -> None:
    with pytest.raises(InputError, match="no_such" if "no_such" in override else "--set"):
        load_sweep_config(files.write(), [override])
