"""Keeps the disk from filling: deletes checkpoints by :class:`search.retention.RetentionRule` while a sweep runs."""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from pyarrow.fs import FileType  # type: ignore[import-untyped]
from ray import tune
from ray.tune import Callback
from ray.tune.experiment import Trial

from search import checkpoints
from search.retention import RetentionRule, Standing, standing
from search.samplers.keys import is_paused
from search.storage import stored_bytes

if TYPE_CHECKING:
    from search.study import SweepStudy

logger = logging.getLogger(__name__)


class CheckpointKeeper(Callback):
    """Deletes what nobody goes on from: of ended trials once the study was told, of paused ones as they get too many.

    An ended or paused trial does not change, so only those that keep a checkpoint compete with the next one: what an
    end or a pause costs does not grow with the study.

    Args:
        root:
            Path or URI of the sweep's checkpoints.
        study:
            The study.
        rule:
            What stays.
    """

    def __init__(self, root: str, study: SweepStudy, rule: RetentionRule) -> None:
        self._root = root
        self._study = study
        self._rule = rule
        self._kept: dict[int, Standing] = {}
        self._paused: dict[int, Standing] = {}
        self._saved: dict[int, Trial] = {}
        self._ray: dict[int, Trial] = {}

    def settle(self) -> None:
        """Bring the storage into line with the study: what earlier drivers left, and what came late.

        A checkpoint can reach the storage after its trial has ended, and a kill can come before its deletion.
        """
        try:
            stored = stored_bytes(self._root)
        except OSError as error:
            logger.warning("%s: the checkpoints could not be listed (%s)", self._root, error)
            return
        held = [t for t in self._study.trials() if t.number in stored]
        self._kept = {t.number: standing(t) for t in held if t.state.is_finished()}
        self._drop_ended(self._kept)
        own = {t.number for t in self._study.own()}  # another driver keeps the bound for what it has paused
        self._paused = {t.number: standing(t, paused=True) for t in held if is_paused(t) and t.number in own}
        self._drop_paused()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Let a trial whose checkpoint is gone start again; Ray, which restores it after this hook, would fail."""
        self._paused.pop(_number(trial), None)
        self._ray.pop(_number(trial), None)
        if trial.checkpoint is not None and not _is_there(trial.checkpoint):
            _forget_checkpoints(trial)

    def on_trial_save(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Note who has written a checkpoint: a trial does before it is paused."""
        self._saved[_number(trial)] = trial

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Delete what this trial, or a worse one, no longer keeps."""
        self._end(trial)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Delete what nobody goes on from."""
        self._end(trial)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:  # noqa: ANN401
        """Delete what paused trials have too much of; only here Ray's word on who is paused is up to date."""
        new = {number: trial for number, trial in self._saved.items() if trial.status == Trial.PAUSED}
        self._saved.clear()
        if not new:
            return
        self._ray.update(new)
        self._paused = {number: held for number, held in self._paused.items() if self._still_waits(number)}
        self._paused |= {number: standing(self._study.trial(number), paused=True) for number in new}
        self._drop_paused()

    def _still_waits(self, number: int) -> bool:
        """Whether a trial is not promoted yet: one that is needs what it has, and takes no other's place."""
        trial = self._ray.get(number)  # None: an earlier driver paused it
        return is_paused(self._study.trial(number)) if trial is None else trial.status == Trial.PAUSED

    def _drop_paused(self) -> None:
        kept = self._rule.kept(self._paused.values())
        for number in self._paused.keys() - kept:
            del self._paused[number]
            trial = self._ray.pop(number, None)
            if trial is not None:
                _forget_checkpoints(trial)
            discard_quietly(self._root, number)

    def _end(self, trial: Trial) -> None:
        ended = standing(self._study.trial(_number(trial)))
        if ended.state.is_finished():  # one that waits for a resume is not
            self._kept[ended.number] = ended
            self._drop_ended([ended.number])

    def _drop_ended(self, new: Collection[int]) -> None:
        kept = self._rule.kept(self._kept.values())
        for number in list(self._kept):
            if number not in kept:
                del self._kept[number]
                discard_quietly(self._root, number)
            elif number in new:
                discard_quietly(self._root, number, but_newest=True)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; a storage stays in the driver


def discard_quietly(root: str, number: int, *, but_newest: bool = False) -> None:
    """Delete a trial's checkpoints; storage that refuses costs disk, which is no reason to end a sweep."""
    try:
        checkpoints.discard(root, number, but_newest=but_newest)
    except OSError as error:
        logger.warning("%s: the checkpoints of trial %d could not be deleted (%s)", root, number, error)


def _number(trial: Trial) -> int:
    return int(trial.config["trial_number"])


def _is_there(checkpoint: tune.Checkpoint) -> bool:
    filesystem: Any = checkpoint.filesystem
    try:
        return bool(filesystem.get_file_info(checkpoint.path).type != FileType.NotFound)
    except OSError:  # nobody knows; Ray will find out
        return True


def _forget_checkpoints(trial: Trial) -> None:
    """Make Ray start a trial from the beginning the next time: it restores whatever it has on record."""
    known: Any = trial.run_metadata.checkpoint_manager  # Ray's class is private
    trial.run_metadata.checkpoint_manager = type(known)(checkpoint_config=known.checkpoint_config)
    trial.set_config({**trial.config, "checkpoint": None})  # type: ignore[no-untyped-call]
