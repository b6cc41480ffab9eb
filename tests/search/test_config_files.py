from __future__ import annotations

from typing import Any

import pytest
import yaml

from data_prep.errors import InputError
from search.config import load_sweep_config
from search.config_files import check_files, kept_files
from search.samplers import SamplerConfig
from search.schedulers.config import SchedulerConfig
from search.space import load_space
from tests.search.conftest import SweepFiles


def test_what_is_written_reads_back_as_the_same(files: SweepFiles) -> None:
    kept = {"keep_best_checkpoints": 3, "max_paused_checkpoints": None}
    config = files.config(resources={"cpus": 2, "gpus": 0.25}, metric="map75", seed=3, **kept)
    elsewhere = files.folder / "run"
    elsewhere.mkdir()
    for name, text in kept_files(config).items():
        (elsewhere / name).write_text(text)
    again = load_sweep_config(elsewhere / "sweep.yaml")
    assert kept_files(again) == kept_files(config)
    assert (again.keep_best_checkpoints, again.max_paused_checkpoints) == (3, None)
    assert again.space == elsewhere / "space.yaml"
    assert again.settings() == config.settings()
    assert list(again.sampler.members) == ["random"]


def test_a_setting_that_the_space_starts_elsewhere_starts_there_on_resume_too(files: SweepFiles) -> None:
    """The kept ``train`` is in full, and what stands there would win over the default of the space."""
    optimizer = {"choices": ["SGD", "AdamW"], "default": "AdamW"}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": {"optimizer": optimizer}}))
    config = files.config()
    files.run.mkdir()
    for name, text in kept_files(config).items():
        (files.run / name).write_text(text)
    again = load_sweep_config(files.run / "sweep.yaml")
    assert again.start(load_space(again.space)) == config.start(load_space(config.space)) == {"optimizer": "AdamW"}
    assert again.settings() == config.settings()
    assert kept_files(again) == kept_files(config)
    stated = files.config(train={"epochs": 9, "model": "yolov5n", "optimizer": "SGD"})
    assert "optimizer: SGD" in kept_files(stated)["sweep.yaml"]


def test_what_shapes_a_sweep_is_kept_in_full(files: SweepFiles) -> None:
    """A later version may have other defaults; a resume must go on with those that the sweep began with."""
    (files.folder / "bare.yaml").write_text(
        yaml.safe_dump({"name": "bare", "data": "data.yaml", "space": "space.yaml", "train": {"epochs": 20}})
    )
    config = load_sweep_config(files.folder / "bare.yaml")
    kept = yaml.safe_load(kept_files(config)["sweep.yaml"])
    assert kept["scheduler"]["grace_period"] == config.scheduler.first_rung(20) == 4
    assert kept["scheduler"].keys() == SchedulerConfig.model_fields.keys()
    assert kept["sampler"].keys() == SamplerConfig.model_fields.keys()
    assert kept["sampler"]["members"] == {name: o.model_dump() for name, o in config.sampler.members.items()}


@pytest.mark.parametrize(("key", "change"), [("data", {"data": "no.yaml"}), ("space", {"space": "no.yaml"})])
def test_a_missing_file_is_named_by_its_key(files: SweepFiles, key: str, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"{key}: .*no\.yaml"):
        check_files(files.config(**change))
