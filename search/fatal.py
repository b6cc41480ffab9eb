"""What ends a sweep before its time, because every further trial would meet it, too: the errors, and when they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_prep.errors import InputError, WorkFailedError
from search.goals.screen import MOST_REDRAWS
from search.outcome import metrics_of
from search.study import SweepStudy
from search.trial_plan import TrialPlan

HOPELESS = 3
"""So many failed trials without a single epoch among all trials end a sweep; diverged ones alone do not."""


def missing_metric(plan: TrialPlan, result: Mapping[str, Any]) -> InputError | None:
    """A metric that is to be optimized and is not reported; None: all are."""
    missing = [name for name in plan.metrics if name not in result]
    if not missing:
        return None
    key, known = "objectives" if plan.objectives else "metric", ", ".join(sorted(metrics_of(result)))
    return InputError(f"{key}: a trial reports no `{missing[0]}`: choose one of {known}.")


def all_failed(study: SweepStudy, reason: str) -> WorkFailedError | None:
    """The first trials all failed, the newest for this reason; None: they did not, or they are too few to tell."""
    failed = study.failed()
    if failed < HOPELESS or study.has_epochs():
        return None
    return WorkFailedError(
        f"the first {failed} trials failed and none has finished an epoch: {reason.rstrip('.')}: "
        "remove the cause and start the sweep anew in another folder."
    )


def all_rejected(reason: str) -> WorkFailedError:
    """What was drawn breaks a constraint again and again, the newest for this reason."""
    return WorkFailedError(
        f"the last {MOST_REDRAWS} configurations that were drawn all break a constraint, the newest because "
        f"{reason}: loosen it, or narrow the space to what keeps to it."
    )
