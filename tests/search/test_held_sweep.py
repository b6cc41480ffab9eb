"""A sweep brought to its end, wherever it was stopped."""

from __future__ import annotations

import pytest

from data_prep.errors import InputError
from search.config_files import kept_files
from search.held_sweep import finish_sweep, planned
from search.options import Options
from tests.search.conftest import SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("local_ray")]
OPTIONS = Options(trainable=QuadraticTrainable)


@pytest.mark.exhaustive  # the flow does it on real trainings
def test_it_is_begun_then_extended_then_left_alone(files: SweepFiles) -> None:
    assert sum(finish_sweep(files.config(trials=2), files.run, OPTIONS).states.values()) == 2
    assert sum(finish_sweep(files.config(trials=3), files.run, OPTIONS).states.values()) == 3
    before = files.epochs()
    assert sum(finish_sweep(files.config(trials=3), files.run, OPTIONS).states.values()) == 3
    assert files.epochs() == before
    with pytest.raises(InputError, match="holds another sweep"):
        finish_sweep(files.config(trials=3, seed=7), files.run, OPTIONS)


def test_one_that_was_killed_before_it_had_a_study_goes_on(files: SweepFiles) -> None:
    config = files.config(trials=2)
    files.run.mkdir()
    for name, text in kept_files(config).items():
        (files.run / name).write_text(text)
    assert planned(config, files.run) is None
    assert sum(finish_sweep(config, files.run, OPTIONS).states.values()) == 2
