"""What is refused before a training goes on from it; :mod:`tests.trainable.test_resume` has what is taken."""

from __future__ import annotations

from typing import Any

import pytest

from data_prep.errors import WorkFailedError
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.resume import check_state, refuse_stranger
from trainable.settings import TrainSettings

STATE = {
    "epoch": 2, "accumulation": 4, "last_step": 17, "ema_updates": 5, "batches": 10,
    "ema_grid": [0, 0, 0], "ema_anchor_grid": [0, 0, 0],
}  # fmt: skip


@pytest.mark.parametrize("group", ["hyp", "train"])
@pytest.mark.parametrize("stated", [None, "x", [1], {}, -1, True])
def test_what_is_no_mapping_is_the_checkpoint_of_another_training(
    settings: TrainSettings, group: str, stated: object
) -> None:
    readable: dict[str, Any] = {"hyp": Hyp().as_dict(), "train": settings.as_dict()}
    refuse_stranger("c", readable, settings, Hyp())

    with pytest.raises(WorkFailedError, match="another training"):
        refuse_stranger("c", readable | {group: stated}, settings, Hyp())


@pytest.mark.parametrize("name", ["epoch", "accumulation", "last_step", "ema_updates", "batches"])
@pytest.mark.parametrize("value", [None, "x", [], 1.0, True, float("nan"), 10**30, -(10**30)])
def test_a_number_that_no_training_reaches_is_refused_by_name(name: str, value: object) -> None:
    check_state(STATE, 4, 3)

    with pytest.raises(ValueError, match=f"its {name} is"):
        check_state(STATE | {name: value}, 4, 3)


@pytest.mark.parametrize("change", [{"epoch": 5}, {"last_step": 20}, {"epoch": 0, "last_step": 0}])
def test_a_place_beyond_the_end_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="beyond its end"):
        check_state(STATE | change, 4, 3)


@pytest.mark.parametrize("grids", [[], [0] * 4, {}, "abc", None])
def test_grids_of_another_head_are_refused(grids: object) -> None:
    with pytest.raises(ValueError, match="ema_grid"):
        check_state(STATE | {"ema_grid": grids}, 4, 3)


def test_the_state_of_a_fresh_training_passes_and_that_of_every_epoch(settings: TrainSettings) -> None:
    loop = EpochLoop(settings, Hyp())
    check_state(loop.state_dict(), settings.epochs, 3)

    while not loop.finished:
        loop.run_epoch()
        check_state(loop.state_dict(), settings.epochs, 3)
