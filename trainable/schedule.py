"""Learning rate, momentum and accumulation over a training, as in ``yolov5.train.train``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from trainable.hyp import Hyp
from trainable.settings import TrainSettings
from trainable.yolov5_parts import one_cycle


@dataclass(frozen=True)
class Schedule:
    """Pure functions of the epoch and of the batch number since the start; it always spans the full epoch count.

    Attributes:
        hyp, settings:
            What is trained.
        batches_per_epoch:
            Number of training batches in an epoch.
    """

    hyp: Hyp
    settings: TrainSettings
    batches_per_epoch: int

    @property
    def warmup_iterations(self) -> int:
        """Length of the warm-up in batches."""
        return max(round(self.hyp.warmup_epochs * self.batches_per_epoch), self.settings.min_warmup_iterations)

    def lr_factor(self, epoch: int) -> float:
        """Share of ``lr0`` at ``epoch``, YOLOv5's ``lf``: from 1 at 0 to ``lrf`` at the last epoch's end."""
        if self.settings.lr_schedule == "linear":
            return (1 - epoch / self.settings.epochs) * (1.0 - self.hyp.lrf) + self.hyp.lrf
        return float(one_cycle(1, self.hyp.lrf, self.settings.epochs)(epoch))

    def start_epoch(self, optimizer: torch.optim.Optimizer, epoch: int) -> None:
        """Set the learning rates that ``epoch`` (from 0) starts with, and keeps after the warm-up.

        They are those of the epoch before: YOLOv5 puts its scheduler back by one ("do not move") and steps it after
        each epoch. Its warm-up goes by the epoch's own factor, and so does ours.
        """
        factor = self.lr_factor(max(epoch - 1, 0))
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor

    def warm_up(self, optimizer: torch.optim.Optimizer, iteration: int, epoch: int) -> int | None:
        """Set what batch ``iteration`` (from 0, since the start) is trained with, if it lies in the warm-up.

        Biases fall from ``warmup_bias_lr``, everything else rises from 0.

        Returns:
            Batches per optimizer step, or None after the warm-up.
        """
        span = [0, self.warmup_iterations]
        if iteration > span[1]:
            return None
        nominal = self.settings.nominal_batch_size / self.settings.batch_size
        for index, group in enumerate(optimizer.param_groups):
            start = self.hyp.warmup_bias_lr if index == 0 else 0.0
            group["lr"] = float(np.interp(iteration, span, [start, group["initial_lr"] * self.lr_factor(epoch)]))
            if "momentum" in group:
                momentum = [self.hyp.warmup_momentum, self.hyp.momentum]
                group["momentum"] = float(np.interp(iteration, span, momentum))
        return int(max(1, np.interp(iteration, span, [1, nominal]).round()))
