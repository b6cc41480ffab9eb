"""Keeps the disk from filling: a trial's checkpoints go when it ends."""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from search import checkpoints

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

logger = logging.getLogger(__name__)


class DiscardEnded(Callback):
    """Deletes the checkpoints of trials that have ended, after the study was told.

    Args:
        root:
            Path or URI of the sweep's checkpoints.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Delete what nobody goes on from."""
        discard_quietly(self._root, trial.config["trial_number"])

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Delete what nobody goes on from."""
        discard_quietly(self._root, trial.config["trial_number"])


def discard_quietly(root: str, number: int) -> None:
    """Delete a trial's checkpoints; storage that refuses costs disk, which is no reason to end a sweep."""
    try:
        checkpoints.discard(root, number)
    except OSError as error:
        logger.warning("%s: the checkpoints of trial %d could not be deleted (%s)", root, number, error)
