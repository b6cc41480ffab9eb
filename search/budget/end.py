"""The end of a sweep by its budget: which one it was, and what becomes of the trials that it cut off.

A budget that was spent can be made larger: its trials stay RUNNING and a resume goes on with them. Where the sweep has
what it wanted (a target, a plateau), they are closed for good.
"""

from __future__ import annotations

from typing import NamedTuple

from optuna.trial import TrialState

from search.goals.record import values_by_epoch
from search.keys import STOPPED_BY
from search.study import SweepStudy

FINAL = ("target", "plateau")
"""Budgets with which a sweep has what it wanted."""
CUT_OFF = "cut_off"
"""Kind of failure of a trial that the end of the sweep met before its first epoch."""


class Ended(NamedTuple):
    """A sweep's end by its budget.

    Attributes:
        budget:
            Which one, a key of ``budget``.
        sentence:
            The same for the user, with what was spent.
    """

    budget: str
    sentence: str

    @property
    def final(self) -> bool:
        """Whether its trials are closed for good, as against waiting for a larger budget."""
        return self.budget in FINAL

    @property
    def remedy(self) -> str:
        """The option of ``hypsweep resume`` that goes on all the same."""
        return f"--budget {self.budget}={'null' if self.final else 'MORE'}"


def close_for_good(study: SweepStudy, ended: Ended) -> None:
    """Tell the study what the trials are that the end cut off, those of drivers that are gone, too.

    They are PRUNED with their last value.
    """
    study.take_over()  # a kill may have come before they were closed
    for trial in study.own():
        if values_by_epoch(trial):
            study.note(trial.number, STOPPED_BY, f"budget.{ended.budget}")
            study.finish(trial.number, TrialState.PRUNED)
        else:
            reason = f"the sweep ended before its first epoch: {ended.sentence}"
            study.finish(trial.number, TrialState.FAIL, reason=reason, kind=CUT_OFF)
