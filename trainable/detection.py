"""DetectionTrainable: a Ray Tune trainable, thin over the epoch loop."""

from __future__ import annotations

import contextlib
import gc
import math
import tempfile
from collections.abc import Sequence
from typing import Any

import torch
from ray import tune

from data_prep.errors import OutOfMemoryError
from trainable.dataset import DataStore
from trainable.failures import FAILURE, FAILURE_KIND, kind_of
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.measures import add_costs
from trainable.memory import is_out_of_memory
from trainable.settings import TrainSettings

QUALITY = ("fitness", "precision", "recall", "map50", "map75", "map50_95")


class DetectionTrainable(tune.Trainable):
    """One trial of a sweep: a step is an epoch.

    The trial's configuration holds ``trial_number``, ``hyp`` (name to value), ``train`` (see
    :class:`trainable.settings.TrainSettings`) and ``checkpoint`` (path or URI of a checkpoint folder to go on from, or
    None); where costs of the model are to be reported, too, ``costs`` names them (:data:`trainable.costs.COSTS`). A
    training that is over for good (:mod:`trainable.failures`) is a result, not an error, because Ray would run an error
    again.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Build the training; goes on from ``config["checkpoint"]`` if there is one."""
        self._store = DataStore()
        self._start(config)

    def _start(self, config: dict[str, Any]) -> None:
        self._loop: EpochLoop | None = None
        self._failure: dict[str, Any] | None = None
        self._costs: Sequence[str] = config.get("costs", ())
        try:
            settings, hyp = TrainSettings.from_mapping(config["train"]), Hyp.from_mapping(config["hyp"])
            self._loop = EpochLoop(settings, hyp, self._store)
            if config.get("checkpoint"):
                with tune.Checkpoint(config["checkpoint"]).as_directory() as folder:
                    self._loop.load(folder)
        except Exception as error:
            self._failure = _over(error, epoch=1)

    def step(self) -> dict[str, Any]:
        """Train one epoch; see :meth:`trainable.metrics.EpochMetrics.as_dict`.

        One that is over for good reports ``failure``, ``failure_kind`` and a NaN ``fitness`` with ``done``. One that
        was restored after its last epoch (its worker died before Ray had stopped it) reports that epoch once more.
        """
        if self._failure is not None:
            return self._failure
        loop = self._running()
        try:
            result = self._run_epoch(loop)
        except Exception as error:
            self._failure = _over(error, loop.epoch + 1)
            return self._failure
        return result | {"done": loop.finished}

    def _run_epoch(self, loop: EpochLoop) -> dict[str, Any]:
        before = loop.last
        result = before if loop.finished else loop.run_epoch().as_dict()
        return {**result, **add_costs(loop, self._costs, before)} if self._costs else result

    def save(self, checkpoint_dir: str | None = None) -> Any:  # noqa: ANN401  # Ray's own result, whose class is private
        """Save as Ray does, without the folder of tensors that Ray leaves in ``/tmp`` where that fails."""
        if checkpoint_dir is not None or self._storage is None:
            return super().save(checkpoint_dir)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return super().save(folder)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the training into ``checkpoint_dir``; nothing of one that is over, which has left its epoch half done.

        Raises:
            DiskFullError: There is no room.
        """
        if self._failure is None:
            self._running().save(checkpoint_dir)

    def load_checkpoint(self, checkpoint: dict[str, Any] | str | None) -> None:
        """Go on from the folder that :meth:`save_checkpoint` wrote.

        Ray declares a dict as well, for trainables whose :meth:`save_checkpoint` returns one; this one's does not.
        """
        if self._failure is None:
            self._running().load(str(checkpoint))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial in this process; labels and decoded images stay."""
        self._release()
        self._start(new_config)
        return True

    def cleanup(self) -> None:
        """Give back the memory, that of images on a GPU, too."""
        self._store = DataStore()
        self._release()

    def _running(self) -> EpochLoop:
        if self._loop is None:
            raise RuntimeError("the trial was cleaned up")
        return self._loop

    def _release(self) -> None:
        self._loop = None
        gc.collect()
        with contextlib.suppress(RuntimeError):  # CUDA may be gone when a worker is being torn down
            torch.cuda.empty_cache()


def _over(error: Exception, epoch: int) -> dict[str, Any]:
    """The result of a training that ``error`` ends for good.

    Raises:
        Exception: ``error``, if the same trial may get further when it is tried again.
    """
    if is_out_of_memory(error) and not isinstance(error, OutOfMemoryError):
        reason = str(error).strip().partition("\n")[0]  # torch adds a page of advice
        error = OutOfMemoryError(f"train.model does not fit into memory ({reason}); take a smaller one.")
    kind = kind_of(error)
    if kind is None:
        raise error
    nothing = dict.fromkeys(QUALITY, math.nan)  # whichever of them the sweep looks at
    return nothing | {"epoch": epoch, FAILURE: str(error), FAILURE_KIND: kind, "done": True}
