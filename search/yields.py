"""What each member of the portfolio yielded: its trials, what they took, and how often they were a new best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import optuna
import pandas as pd
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.goals.front import has_several_goals
from search.keys import LAST
from search.samplers import AUTHOR_KEY, rewards

COLUMNS = (
    "sampler",
    "trials",
    "failed",
    "epochs",
    "share",
    "best_value",
    "best_epoch",
    "best_trial",
    "new_bests",
    "credit",
)
_UNKNOWN = "unknown"


def member_yields(study: optuna.Study) -> pd.DataFrame:
    """One row per author of trials, in order of their first trial; pure in the study.

    Columns: ``sampler``; ``trials`` that it suggested and ``failed`` among them; ``epochs`` that these trained,
    repeated ones, too; ``share`` of the epochs of all; ``best_value``, ``best_epoch`` and ``best_trial`` of the best
    among its trials that got farthest; ``new_bests``, how many of its trials improved on all earlier ones at an equal
    epoch; ``credit``, the part of its judged trials that did (:func:`search.samplers.rewards`; the allocation
    ``credit`` weighs the newest most, this does not). A figure that there is none of is missing: with several goals all
    that rest on one value.
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
    several = has_several_goals(study)
    maximize = study.directions[0] == StudyDirection.MAXIMIZE
    reward = {} if several else rewards(trials, maximize=maximize)
    authors: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        authors.setdefault(str(trial.user_attrs.get(AUTHOR_KEY, _UNKNOWN)), []).append(trial)
    total = sum(map(_epochs, trials))
    rows = []
    for name, own in authors.items():
        best = {} if several else {**_best(own, maximize=maximize), **_credit(own, reward)}
        rows.append({"sampler": name, **_counts(own, total), **best})
    whole = dict.fromkeys(("best_epoch", "best_trial", "new_bests"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _counts(trials: Sequence[FrozenTrial], total: int) -> dict[str, Any]:
    epochs = sum(map(_epochs, trials))
    failed = sum(trial.state == TrialState.FAIL for trial in trials)
    share = epochs / total if total else None
    return {"trials": len(trials), "failed": failed, "epochs": epochs, "share": share}


def _epochs(trial: FrozenTrial) -> int:
    last = trial.user_attrs.get(LAST, {})
    return int(last.get("epochs_run", len(trial.intermediate_values)))


def _best(trials: Sequence[FrozenTrial], *, maximize: bool) -> dict[str, Any]:
    sign = 1 if maximize else -1
    reached = [
        (trial, step, trial.intermediate_values[step])
        for trial in trials
        if trial.state != TrialState.FAIL
        and (step := trial.last_step) is not None
        and math.isfinite(trial.intermediate_values[step])
    ]
    if not reached:
        ended = [t for t in trials if t.state == TrialState.COMPLETE]
        best = max(ended, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)
        return {"best_value": best.value, "best_epoch": None, "best_trial": best.number} if best else {}
    trial, step, value = max(reached, key=lambda each: (each[1], sign * each[2], -each[0].number))
    return {"best_value": value, "best_epoch": step, "best_trial": trial.number}


def _credit(trials: Sequence[FrozenTrial], reward: dict[int, float]) -> dict[str, Any]:
    judged = [reward[trial.number] for trial in trials if trial.number in reward]
    return {"new_bests": int(sum(judged)), "credit": sum(judged) / len(judged) if judged else None}
