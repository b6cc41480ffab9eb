from __future__ import annotations

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState, create_trial

from search.samplers.keys import DRIVER_KEY
from search.schedulers.neighbours import Neighbours
from search.schedulers.pasha import ProgressiveRungs
from search.schedulers.rungs import Decision, Past, Rungs


def trial(number: int, values: dict[int, float], driver: int) -> FrozenTrial:
    made = create_trial(state=TrialState.RUNNING, intermediate_values=values, user_attrs={DRIVER_KEY: driver})
    made.number = number
    return made


def test_values_of_others_rank_and_never_wait() -> None:
    rungs = Rungs((1, 3), 2)
    seen = Neighbours(rungs, driver=0)
    seen.replace(None, trial(5, {1: 0.9}, driver=1))

    assert dict(rungs.waiting) == {}
    assert rungs.record(0, 1, 0.5) is Decision.WAIT  # the best one of the two is another driver's
    assert rungs.promotable() is None
    seen.replace(None, trial(6, {1: 0.1}, driver=1))
    seen.replace(None, trial(7, {1: 0.2}, driver=1))
    assert rungs.promotable() == 0  # second of four


def test_a_trial_counts_once_however_often_it_is_seen_and_grows() -> None:
    rungs = Rungs((1, 3), 2)
    seen = Neighbours(rungs, driver=0)
    for values in ({1: 0.1}, {1: 0.1}, {1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.2, 3: 0.3}):
        seen.replace(None, trial(5, values, driver=1))
    assert rungs.record(0, 1, 0.05) is Decision.WAIT
    assert rungs.record(1, 1, 0.5) is Decision.GO_ON  # first of three
    assert rungs.record(1, 3, 0.1) is Decision.WAIT  # second of two at the next rung


def test_own_trials_enter_by_their_scheduler_alone() -> None:
    rungs = Rungs((1, 3), 2)
    Neighbours(rungs, driver=4).replace(None, trial(5, {1: 0.9}, driver=4))
    assert rungs.record(0, 1, 0.5) is Decision.WAIT  # alone at its rung: floor(1 / 2) is none
    assert rungs.record(1, 1, 0.6) is Decision.GO_ON


def test_what_the_rungs_know_is_not_loaded_again() -> None:
    """A driver that joins a long sweep has loaded its history already; PASHA looks at all of its top rung each time."""

    class Counted(ProgressiveRungs):
        loads = 0

        def load(self, history: Iterable[Past[float]]) -> None:
            Counted.loads += 1
            super().load(history)

    rungs = Counted((1, 3, 9), 3, epsilon=0.0)
    trials = [trial(number, {1: 0.1, 2: 0.1}, driver=1) for number in range(50)]
    rungs.load(Past(t.number, t.intermediate_values) for t in trials)
    seen = Neighbours(rungs, driver=0)
    for each in trials:
        seen.replace(None, each)
    assert Counted.loads == 1
    seen.replace(trials[0], trial(0, {1: 0.1, 2: 0.1, 3: 0.2}, driver=1))
    assert Counted.loads == 2
    assert rungs.has_reached(0, 3)
