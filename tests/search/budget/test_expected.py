from __future__ import annotations

import numpy as np
import pytest

from search.budget.expected import Costs, SimulatedSweep, _Run, expect
from search.schedulers.config import SchedulerConfig

FREE = Costs(0, 0, 1)


def sweep(scheduler: str, *, trials: int = 30, slots: int = 1, epochs: int = 9, **more: float) -> SimulatedSweep:
    given = {"type": scheduler, "reduction_factor": 3, "grace_period": 1, "finish_start": False, **more}
    config = SchedulerConfig.model_validate(given)
    return SimulatedSweep(config, epochs, trials, slots)


def test_without_early_stopping_it_is_counting() -> None:
    found = expect(sweep("none", trials=7, slots=2, epochs=4), Costs(start=10, restart=2, epoch=5))
    assert found.epochs == found.least == found.most == 28
    # Two slots: 10 + 4 * 5, then 2 + 4 * 5 each; the seventh trial is the fourth of its slot.
    assert found.seconds == 10 + 20 + 3 * 22
    assert found.slot_seconds == 2 * 10 + 5 * 2 + 28 * 5


@pytest.mark.parametrize("scheduler", ["asha", "asha_stop"])
def test_rungs_leave_a_third(scheduler: str) -> None:
    """Rungs at 1 and 3 of 9 epochs: 1 + 2/3 + 6/9 epochs a trial in the long run."""
    found = expect(sweep(scheduler, trials=400), FREE)
    assert found.epochs == pytest.approx(400 * (1 + 2 / 3 + 6 / 9), rel=0.1)
    assert found.least <= found.epochs <= found.most
    assert found.seconds == pytest.approx(found.epochs)


def test_pausing_on_one_slot_is_the_algorithm_itself() -> None:
    """Nine trials, the best first, rungs 1 and 3: the best three are promoted to 3, the best one to 9."""
    falling = np.linspace(1, 0, 9)
    run = _Run(sweep("asha", trials=9), FREE, falling)
    assert run.run() == (9 + 3 * 2 + 6, 21, 21)
    assert run.most_waiting == 6 + 3 * 2  # six at the first rung have one checkpoint, three at the second two each
    assert expect(sweep("asha", trials=9), FREE).least == 21  # in any other order some are promoted that should not


def test_the_best_of_few_trials_is_trained_to_the_end() -> None:
    found = expect(sweep("asha", trials=2), FREE)
    assert (found.least, found.most) == (1 + 9, 1 + 9)
    assert expect(sweep("asha", trials=2, finish_best=False), FREE).most == 2


def test_trial_0_is_trained_to_the_end_whatever_it_is_worth() -> None:
    rising = np.linspace(0, 1, 9)
    run = _Run(sweep("asha", trials=9, finish_start=True), FREE, rising)
    without = _Run(sweep("asha", trials=9), FREE, rising)
    assert run.run()[0] >= without.run()[0] + 8
    assert (run._reached[0], without._reached[0]) == (9, 1)
    assert expect(sweep("asha", trials=2, finish_start=True), FREE).most == 9 + 9


@pytest.mark.parametrize("scheduler", ["asha", "asha_stop", "pasha", "median", "none"])
@pytest.mark.parametrize("slots", [1, 3, 50])
def test_every_scheduler_comes_to_an_end(scheduler: str, slots: int) -> None:
    found = expect(sweep(scheduler, slots=slots), FREE)
    assert 30 <= found.least <= found.most <= 270
    assert found.seconds * slots >= found.slot_seconds - 1e-9
    assert found.slot_seconds == pytest.approx(found.epochs)


def test_more_slots_take_less_time_and_the_seed_repeats() -> None:
    one, four = expect(sweep("asha"), FREE), expect(sweep("asha", slots=4), FREE)
    assert four.seconds < one.seconds
    assert expect(sweep("asha"), FREE) == one
    assert expect(sweep("asha"), FREE, seed=1) != one


def test_thousands_of_trials_are_extrapolated() -> None:
    found = expect(sweep("asha", trials=10_000, slots=4), FREE)
    assert found.epochs == pytest.approx(10_000 * (1 + 2 / 3 + 6 / 9), rel=0.1)
