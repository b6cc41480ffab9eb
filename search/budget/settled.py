"""How many trials of a sweep have settled: they ended, or came to wait at a rung."""

from __future__ import annotations

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

from search.goals.record import is_rejected
from search.keys import STOPPED_BY
from search.known.marks import is_result
from search.samplers.keys import PAUSED_KEY


class SettledTrials:
    """An index of the study's history (:class:`search.samplers.history.Index`) that counts the trials that settled.

    It can be told from what the study says of each trial alone, in any order, and never becomes smaller. So every
    driver and every reader of the study counts the same.

    Args:
        trials:
            The trials so far.
    """

    def __init__(self, trials: Iterable[FrozenTrial] = ()) -> None:
        self._numbers: set[int] = set()
        for trial in trials:
            self.replace(None, trial)

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:  # noqa: ARG002  the history's signature
        """Take note of a trial's new state."""
        if _has_settled(new):
            self._numbers.add(new.number)

    @property
    def count(self) -> int:
        """How many have settled."""
        return len(self._numbers)

    def count_with(self, number: int) -> int:
        """How many have, once this one has."""
        return len(self._numbers) + (number not in self._numbers)


def _has_settled(trial: FrozenTrial) -> bool:
    """Whether a trial ended or ever waited; one that failed, or that the sweep's end cut off, says nothing."""
    if is_result(trial) or is_rejected(trial):
        return False
    if PAUSED_KEY in trial.user_attrs:  # it stays, as None, when the trial is promoted
        return True
    ended = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return ended and STOPPED_BY not in trial.user_attrs
