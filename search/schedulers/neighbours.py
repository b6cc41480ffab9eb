"""Lets the rungs of one driver see what the trials of other drivers on the same study reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from search.goals.record import OBJECTIVES, values_by_epoch
from search.known.marks import is_result
from search.samplers.keys import DRIVER_KEY, START
from search.schedulers.rungs import Ladder, Past


class Neighbours:
    """An index of the study's history (:class:`search.samplers.history.Index`): values of others enter the rungs.

    Their trials rank there and never wait: who holds a trial promotes it.

    Args:
        rungs:
            Where they enter.
        driver:
            Number of this driver, whose own trials enter by its scheduler.
    """

    def __init__(self, rungs: Ladder[Any, Any], driver: int) -> None:
        self._rungs = rungs
        self._driver = driver

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:  # noqa: ARG002  the history's signature
        """Take over a trial that has reached a rung since it was last seen."""
        if new.user_attrs.get(DRIVER_KEY) == self._driver:
            return
        values: Mapping[int, Any] = values_by_epoch(new) if OBJECTIVES in new.user_attrs else new.intermediate_values
        if any(level in values and not self._rungs.has_reached(new.number, level) for level in self._rungs.levels):
            judged = new.number != START and not is_result(new)
            self._rungs.load([Past(new.number, dict(values), judged=judged)])
