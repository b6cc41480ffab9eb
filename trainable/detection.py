"""DetectionTrainable: a Ray Tune trainable, thin over the epoch loop."""

from __future__ import annotations

import contextlib
import gc
import math
from typing import Any

import torch
from ray import tune

from data_prep.errors import DivergedError
from trainable.dataset import DataStore
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings

QUALITY = ("fitness", "precision", "recall", "map50", "map75", "map50_95")


class DetectionTrainable(tune.Trainable):
    """One trial of a sweep: a step is an epoch.

    The trial's configuration holds ``trial_number``, ``hyp`` (name to value), ``train`` (see
    :class:`trainable.settings.TrainSettings`) and ``checkpoint`` (path or URI of a checkpoint folder to go on from, or
    None). A training that diverges is a result, not an error, because Ray would run an error again.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Build the training; goes on from ``config["checkpoint"]`` if there is one.

        Raises:
            InputError: Model, weights, data set or device are not to be had.
        """
        self._store = DataStore()
        self._start(config)

    def _start(self, config: dict[str, Any]) -> None:
        settings = TrainSettings.from_mapping(config["train"])
        self._loop: EpochLoop | None = EpochLoop(settings, Hyp.from_mapping(config["hyp"]), self._store)
        if config.get("checkpoint"):
            with tune.Checkpoint(config["checkpoint"]).as_directory() as folder:
                self._loop.load(folder)

    def step(self) -> dict[str, Any]:
        """Train one epoch; see :meth:`trainable.metrics.EpochMetrics.as_dict`.

        A diverged training reports ``failure`` and a NaN ``fitness`` with ``done``. One that was restored after its
        last epoch (its worker died before Ray had stopped it) reports that epoch once more.
        """
        loop = self._running()
        try:
            result = loop.last if loop.finished else loop.run_epoch().as_dict()
        except DivergedError as error:
            nothing = dict.fromkeys(QUALITY, math.nan)  # whichever of them the sweep looks at
            return nothing | {"epoch": loop.epoch + 1, "failure": str(error), "done": True}
        return result | {"done": loop.finished}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the training into ``checkpoint_dir``."""
        self._running().save(checkpoint_dir)

    def load_checkpoint(self, checkpoint: dict[str, Any] | str | None) -> None:
        """Go on from the folder that :meth:`save_checkpoint` wrote.

        Ray declares a dict as well, for trainables whose :meth:`save_checkpoint` returns one; this one's does not.
        """
        self._running().load(str(checkpoint))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial in this process; labels and decoded images stay."""
        self._release()
        self._start(new_config)
        return True

    def cleanup(self) -> None:
        """Give back the memory."""
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
