"""EpochLoop: one YOLOv5 training, an epoch at a time, that can be saved, resumed and thrown away.

It follows ``yolov5.train.train`` statement by statement where numbers are concerned; ``tests/trainable/test_oracle.py``
holds it to that. It knows nothing of Ray.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from data_prep.errors import OutOfMemoryError, WorkFailedError
from trainable import rng, state
from trainable.batches import EpochBatches
from trainable.checkpoint import read_checkpoint, write_checkpoint
from trainable.dataset import DataStore
from trainable.divergence import DivergenceCheck
from trainable.hyp import Hyp
from trainable.memory import is_out_of_memory, peak, release, watch
from trainable.metrics import EpochMetrics, Evaluation, Losses
from trainable.parts import set_up
from trainable.replicas import ALONE, Replicas
from trainable.resume import check_state, refuse_stranger
from trainable.settings import TrainSettings
from trainable.validation import evaluate

logger = logging.getLogger(__name__)

GRADIENT_NORM = 10.0
EMA_ATTRIBUTES = ("yaml", "nc", "hyp", "names", "stride", "class_weights")


class EpochLoop:
    """One training.

    Several loops may live in one process: each puts its own random streams back before an epoch and takes them out
    after it.

    Args:
        settings:
            Model, data, schedule, batch, device.
        hyp:
            The hyperparameters.
        store:
            Labels and images to share with other loops of this process.
        replicas:
            Which of the workers that train together this one is; each has a loop of the same settings.

    Attributes:
        epoch:
            Number of finished epochs.
        last:
            What the last of them reported, see :meth:`trainable.metrics.EpochMetrics.as_dict`.

    Raises:
        InputError: Model, weights, data set or device are not to be had.
    """

    def __init__(
        self, settings: TrainSettings, hyp: Hyp, store: DataStore | None = None, replicas: Replicas = ALONE
    ) -> None:
        self.settings, self.hyp, self._replicas = settings, hyp, replicas
        self._asked = settings  # `settings` follows what memory allows
        self._store = store or DataStore()
        self.parts = set_up(settings, hyp, self._store, replicas)
        self.epoch = 0
        self.last: dict[str, Any] = {}
        self._accumulation = settings.accumulation
        self._last_step = -1
        self._streams = rng.capture()

    @property
    def finished(self) -> bool:
        """Whether the last epoch was run."""
        return self.epoch >= self.settings.epochs

    def run_epoch(self) -> EpochMetrics:
        """Train one epoch and validate the EMA weights; with half the batch, from its start, where memory runs out.

        Raises:
            DivergedError: Loss or weights are NaN or infinite, or the loss exploded; the loop is of no more use.
            OutOfMemoryError: Not even a batch of one image fits into memory.
            WorkFailedError: The last epoch was already run, or an image cannot be decoded.
        """
        if self.finished:
            raise WorkFailedError(f"all {self.settings.epochs} epochs were run; there is nothing left to train.")
        start = state.to_host(self.state_dict())
        while True:
            try:
                return self._run_epoch()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).strip().partition("\n")[0]
            # Out of the handler: the error's traceback kept the tensors of the failed batch alive.
            self._halve_batch(start, reason)

    def _run_epoch(self) -> EpochMetrics:
        self._restore_streams()
        parts, started = self.parts, time.perf_counter()
        watch(parts.device)
        losses = self._train()
        trained = time.perf_counter()
        rates = tuple(float(group["lr"]) for group in parts.optimizer.param_groups)
        self._divergence.weights(parts.ema.ema, self.epoch)
        parts.ema.update_attr(parts.model, include=EMA_ATTRIBUTES)
        found = self._validate()
        self.epoch += 1
        self._streams = rng.capture()
        metrics = EpochMetrics(
            epoch=self.epoch,
            evaluation=found,
            train=losses,
            learning_rates=rates,
            epoch_seconds=time.perf_counter() - started,
            images_per_second=len(parts.train.dataset) / max(trained - started, 1e-9),
            batch_size=self.settings.batch_size,
            gpu_memory=peak(parts.device),
            skipped_images=parts.skipped_images,
        )
        self.last = metrics.as_dict()
        return metrics

    def _restore_streams(self) -> None:
        """Put this training's random streams in place; of several workers each draws its own, by epoch and rank."""
        if self._replicas.alone:
            rng.restore(self._streams)
        else:  # a checkpoint holds the streams of the first worker alone
            rng.seed(self.settings.seed, self.epoch, self._replicas.rank)

    def _halve_batch(self, start: dict[str, Any], reason: str) -> None:
        """Build the training anew with half the batch and twice the accumulation, at the state ``start``."""
        size = self.settings.batch_size
        if not self._replicas.alone:  # the others are in the middle of the epoch
            raise OutOfMemoryError(
                f"train.batch_size {size}: {self.settings.model} does not fit into the memory of worker "
                f"{self._replicas.rank} ({reason}); take more workers, or one, which halves its batch by itself."
            )
        if size == 1:
            release(self.parts.device)
            raise OutOfMemoryError(
                f"train.image_size {self.settings.image_size}: {self.settings.model} does not fit into memory even "
                f"with one image per batch ({reason}); take a smaller image size or model, or fewer trials per GPU."
            )
        logger.warning("out of memory with a batch of %d (%s): going on with %d", size, reason, size // 2)
        self._rebuild(size // 2)
        self.load_state_dict(start)

    def _rebuild(self, batch_size: int) -> None:
        device = self.parts.device
        del self.parts
        gc.collect()
        release(device)
        self.settings = dataclasses.replace(self.settings, batch_size=batch_size)
        self.parts = set_up(self.settings, self.hyp, self._store, self._replicas)

    def evaluate(self, batches: EpochBatches) -> Evaluation:
        """Judge the EMA weights as they are."""
        parts = self.parts
        return evaluate(parts.ema.ema, batches.epoch(self.epoch), parts.compute_loss, parts.data.names, parts.precision)

    def _validate(self) -> Evaluation | None:
        if self.parts.val is None:
            return None
        found = self.evaluate(self.parts.val)
        self._divergence.validation(found.losses, self.epoch)
        return found

    @property
    def _divergence(self) -> DivergenceCheck:
        return DivergenceCheck(self.parts.compute_loss.hyp, self.hyp.lr0)

    def _train(self) -> Losses:
        """One pass over the training batches; the mean losses."""
        parts = self.parts
        parts.model.train()
        parts.schedule.start_epoch(parts.optimizer, self.epoch)
        parts.optimizer.zero_grad()
        mean = torch.zeros(3, device=parts.device)
        for index, items in enumerate(self._steps()):
            mean = (mean * index + items) / (index + 1)
            # Asking a GPU for a number makes it wait, so only a CPU is asked at each batch.
            if parts.device.type == "cpu" or index + 1 == len(parts.train):
                self._divergence.losses(mean, self.epoch)
        return Losses(*self._replicas.mean(mean).tolist())

    def _steps(self) -> Iterator[torch.Tensor]:
        """Train batch by batch; yields the three losses of each, shape (3,)."""
        parts = self.parts
        for index, batch in enumerate(parts.train.epoch(self.epoch)):
            iteration = index + len(parts.train) * self.epoch
            warm = parts.schedule.warm_up(parts.optimizer, iteration, self.epoch)
            self._accumulation = warm if warm is not None else self._accumulation
            loss, items = parts.forward(batch)
            # Gradients are averaged over the workers, and YOLOv5's loss is a sum over images.
            parts.scaler.scale(loss * self._replicas.world_size).backward()  # type: ignore[no-untyped-call]  # torch left it untyped
            if iteration - self._last_step >= self._accumulation:
                self._step()
                self._last_step = iteration
            yield items

    def _step(self) -> None:
        parts = self.parts
        parts.scaler.unscale_(parts.optimizer)
        torch.nn.utils.clip_grad_norm_(parts.model.parameters(), max_norm=GRADIENT_NORM, foreach=parts.fast or None)
        parts.scaler.step(parts.optimizer)
        parts.scaler.update()
        parts.optimizer.zero_grad()
        parts.ema.update(parts.model)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on, as tensors and plain numbers.

        On a CPU a resumed training equals an unbroken one bit by bit; a GPU's own sums are not that repeatable.
        """
        return {
            "epoch": self.epoch,
            "accumulation": self._accumulation,
            "last_step": self._last_step,
            "batches": len(self.parts.train),
            "streams": self._streams,
            **state.capture(self.parts),
        }

    def load_state_dict(self, found: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict` of a loop with the same settings and hyp."""
        state.restore(self.parts, found)
        self._streams = found["streams"]
        self.epoch, self._accumulation = found["epoch"], found["accumulation"]
        # Counted in batches since the start: those of the checkpoint may have been larger.
        batches, waiting = len(self.parts.train), found["epoch"] * found["batches"] - found["last_step"]
        self._last_step = found["epoch"] * batches - round(waiting * batches / found["batches"])

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint (see :mod:`trainable.checkpoint`).

        Raises:
            WorkFailedError: The disk is full or cannot be written.
        """
        readable = {
            "epoch": self.epoch,
            "metrics": self.last,
            "hyp": self.hyp.as_dict(),
            "train": self.settings.as_dict(),
        }
        write_checkpoint(folder, self.state_dict(), readable)

    def load(self, folder: str | Path) -> None:
        """Go on from a checkpoint that :meth:`save` wrote.

        Raises:
            WorkFailedError: There is no whole checkpoint in ``folder``, or it is one of another training.
        """
        tensors, readable = read_checkpoint(folder)
        refuse_stranger(folder, readable, self._asked, self.hyp)
        size = readable["train"]["batch_size"]
        if size != self.settings.batch_size:
            self._rebuild(size)
        try:
            check_state(tensors, self.settings.epochs, self.parts.ema.ema.model[-1].nl)
            self.load_state_dict(tensors)
            rng.restore(self._streams)  # streams that are none show now, and not in the next epoch
            self.last = dict(readable["metrics"])
        # One that was made to deceive raises nearly anything; nothing of it is run.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            raise WorkFailedError(
                f"{folder}: the checkpoint does not fit this training ({reason}); start the training anew."
            ) from error
