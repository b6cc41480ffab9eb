"""OthersAtWork: what other drivers of the same study may be spending at this moment."""

from __future__ import annotations

from collections.abc import Container

from optuna.trial import FrozenTrial, TrialState

from search.keys import HELD
from search.samplers.keys import DRIVER_KEY, is_paused

AHEAD = 2
"""Epochs by which a trial of another driver may be further than the study says: one that has just ended and is not
reported yet, and the next one, which was granted then."""


class OthersAtWork:
    """An index of the study's history (:class:`search.samplers.history.Index`): who has trials at work.

    Args:
        driver:
            Number of this driver; None where nobody else can be at work.

    Attributes:
        held:
            Trials, whoever has them, that wait for a larger budget.
    """

    def __init__(self, driver: int | None) -> None:
        self._driver = driver
        self._holders: dict[int, int] = {}
        self.held: set[int] = set()

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:  # noqa: ARG002  the history's signature
        """Take note of a trial's new state."""
        holder, runs = new.user_attrs.get(DRIVER_KEY), new.state == TrialState.RUNNING
        self.held.discard(new.number)
        self._holders.pop(new.number, None)
        if runs and new.user_attrs.get(HELD):
            self.held.add(new.number)
        elif runs and not is_paused(new) and holder is not None and holder != self._driver:
            self._holders[new.number] = holder

    def epochs(self, alive: Container[int]) -> int:
        """Epochs that the drivers that are alive may be training beyond what the study says."""
        return AHEAD * sum(holder in alive for holder in self._holders.values())
