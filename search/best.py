"""The trial that a sweep is about: its best one, or one that the user chose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError, WorkFailedError
from search.goals.front import LONG_ENOUGH, has_several_goals, pareto_front
from search.goals.record import first_goal
from search.keys import LAST
from search.known.marks import is_result
from search.samplers.keys import START

if TYPE_CHECKING:
    from search.config import SweepConfig


class BestTrial(NamedTuple):
    """The trial that won, or was chosen.

    Attributes:
        trial:
            The trial.
        value:
            Its value of the metric at ``epoch``; of several goals the first.
        epoch:
            Its last finished epoch.
        default_value:
            Value at that epoch of trial 0, the hyp that the sweep started from; None where it did not get there.
    """

    trial: FrozenTrial
    value: float
    epoch: int
    default_value: float | None = None


def best_trial(study: optuna.Study) -> BestTrial | None:
    """The best COMPLETE trial; where none is, the best among those that were trained longest.

    A trial that was stopped early is not compared with one that was trained longer: its value is another quantity.
    Trial 0 alone may be COMPLETE because the rungs were spared it. Where no other is, but some trained half as long or
    more, it is the best only if it was no worse than the best of those trained longest when it was at their epoch.

    Returns:
        None where no trial has finished an epoch, and for a study with several goals, which has a front instead
        (:func:`search.goals.front.pareto_front`).
    """
    if has_several_goals(study):
        return None
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    trials = study.get_trials(deepcopy=False)
    trained = [t for t in trials if t.state != TrialState.FAIL and curve(t)]
    complete = [t for t in trained if t.state == TrialState.COMPLETE]
    best = _longest(complete or trained, sign)
    if best is not None and [t.number for t in complete] == [START]:
        rival = _longest([t for t in trained if t.number != START], sign)
        if rival is not None and rival.epoch < best.epoch <= LONG_ENOUGH * rival.epoch:
            start_value = curve(best.trial).get(rival.epoch)
            best = rival if start_value is not None and sign * rival.value > sign * start_value else best
    return best and _beside_default(best, trials[0])


def ranked_trials(study: optuna.Study) -> list[BestTrial]:
    """All trials that did not fail and have finished an epoch, the best first.

    COMPLETE ones stand before others, and those trained longer before those stopped earlier: values at different epochs
    are different quantities.
    """
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    trials = [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.FAIL and curve(t)]
    return sorted(
        map(_newest, trials),
        key=lambda b: (b.trial.state != TrialState.COMPLETE, -b.epoch, -sign * b.value, b.trial.number),
    )


def chosen_trial(config: SweepConfig, study: optuna.Study, run_dir: Path, number: int | None = None) -> BestTrial:
    """The trial that is exported or promoted.

    Args:
        config:
            The sweep.
        study:
            Its study.
        run_dir:
            Its folder.
        number:
            The trial that the user chose; None takes the best.

    Raises:
        InputError: There is no such trial, or it has not trained; or there are several goals, and none of the front was
            chosen.
        WorkFailedError: No trial has finished an epoch.
    """
    trials = study.get_trials(deepcopy=False)
    best = best_trial(study)
    front = pareto_front(study) if best is None and has_several_goals(study) else []
    if best is None and not front:
        raise WorkFailedError(f"{run_dir}: no trial has finished an epoch yet: go on with `hypsweep resume {run_dir}`.")
    if front and number not in {each.trial.number for each in front}:
        wrong = "there is no best trial" if number is None else f"trial {number} is not on the front"
        listed = "; ".join(each.describe(config.goals) for each in front)
        raise InputError(f"{run_dir}: the sweep has several goals and {wrong}: choose with --trial from {listed}.")
    if number is None and best is not None:
        return best
    found = next((t for t in trials if t.number == number and t.state != TrialState.FAIL and curve(t)), None)
    if found is None:
        raise InputError(f"--trial {number}: {run_dir} has no trial of that number that has finished an epoch.")
    return _beside_default(_newest(found), trials[0])


def curve(trial: FrozenTrial) -> Mapping[int, float]:
    """The value by epoch, of several goals the first; of a result that was imported without its curve, the last one."""
    if is_result(trial) and not trial.intermediate_values and trial.value is not None:
        return {trial.user_attrs[LAST]["epoch"]: trial.value}
    return first_goal(trial)


def _longest(trials: Iterable[FrozenTrial], sign: int) -> BestTrial | None:
    """The best among those trained longest; of two equal ones the earlier: nothing is gained by leaving the default."""
    reached = map(_newest, trials)
    return max(reached, key=lambda b: (b.epoch, sign * b.value, -b.trial.number), default=None)


def _newest(trial: FrozenTrial) -> BestTrial:
    values = curve(trial)
    epoch = max(values)
    return BestTrial(trial, values[epoch], epoch)


def _beside_default(best: BestTrial, first: FrozenTrial) -> BestTrial:
    return best if first.number != START else best._replace(default_value=first_goal(first).get(best.epoch))
