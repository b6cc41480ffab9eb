"""Lets the rungs of one driver see what the trials of other drivers on the same study reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from search.goals.record import OBJECTIVES, values_by_epoch
from search.samplers.keys import DRIVER_KEY
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
        self._known: dict[int, int] = {}

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:  # noqa: ARG002  the history's signature
        """Take over what a trial has reported since it was last seen."""
        values: Mapping[int, Any] = values_by_epoch(new) if OBJECTIVES in new.user_attrs else new.intermediate_values
        if new.user_attrs.get(DRIVER_KEY) == self._driver or len(values) == self._known.get(new.number, 0):
            return
        self._known[new.number] = len(values)
        self._rungs.load([Past(new.number, dict(values))])
