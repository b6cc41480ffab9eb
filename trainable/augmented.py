"""Training batches of the fast path: drawn by epoch, made ahead of time, matched with anchors on the way."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from trainable.augment.boxes import Boxes, augment_boxes
from trainable.augment.layout import lay_out
from trainable.augment.plan import EpochPlan, draw_epoch
from trainable.augment.render import Image, Renderer
from trainable.augment.render_device import DeviceBank, DeviceRenderer
from trainable.batches import EpochBatches
from trainable.dataset import YoloDataset
from trainable.forward import MatchedBatch
from trainable.loss import Matcher
from trainable.prefetch import prefetch
from trainable.replicas import ALONE, Replicas


class AugmentedBatches:
    """The augmented batches of a data set of boxes; each epoch depends on (seed, epoch) alone.

    Args:
        dataset:
            Labels and images.
        hyp:
            YOLOv5's hyp mapping.
        batch_size:
            Images per batch; the last one may be smaller.
        seed:
            Seed of all draws.
        matcher:
            Matches labels and anchors.
        threads:
            How many make batches ahead.
        pin:
            Whether a GPU will read the batches.
        bank:
            The images in the memory of the device that trains, if they are there; it then renders them itself.
        replicas:
            Who shares each batch; together they draw what one would draw alone.
    """

    def __init__(
        self,
        dataset: YoloDataset,
        hyp: Mapping[str, float],
        batch_size: int,
        *,
        seed: int,
        matcher: Matcher,
        threads: int = 1,
        pin: bool = False,
        bank: DeviceBank | None = None,
        replicas: Replicas = ALONE,
    ) -> None:
        self.dataset, self._hyp = dataset, hyp
        self._batch_size, self._seed = batch_size, seed
        self._matcher, self._threads, self._pin, self._replicas = matcher, threads, pin, replicas
        self._boxes, self._sizes = Boxes.of(dataset.labels), dataset.sizes
        self._on_device = DeviceRenderer(bank, dataset.img_size) if bank is not None else None
        self._own = threading.local()

    def __len__(self) -> int:
        return math.ceil(self.dataset.n / self._batch_size)

    def state_dict(self) -> dict[str, Any]:
        """Nothing: an epoch is drawn anew from its number."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`."""

    def epoch(self, number: int) -> Iterator[MatchedBatch]:
        """The batches of epoch ``number`` (from 0)."""
        self._matcher.refresh()
        dataset, size = self.dataset, self._batch_size
        plan = draw_epoch(self._hyp, dataset.n, dataset.img_size, seed=self._seed, epoch=number)
        batches = np.array_split(np.arange(len(plan)), range(size, len(plan), size))
        parts = [plan.take(self._replicas.share(batch)) for batch in batches]
        return prefetch(self._make, parts, self._threads)

    def _make(self, plan: EpochPlan) -> MatchedBatch:
        size = self.dataset.img_size
        layout = lay_out(plan, self._sizes, size)
        matches = self._matcher.match(torch.from_numpy(augment_boxes(plan, layout, self._boxes, size)))
        if self._on_device is not None:
            return MatchedBatch(self._on_device.render(plan, layout), matches.pin() if self._pin else matches)
        # (n, h, w, 3) seen as (n, 3, h, w): channels last, without a copy.
        images = torch.from_numpy(self._renderer().render(plan, layout)).permute(0, 3, 1, 2)
        return MatchedBatch(images.pin_memory(), matches.pin()) if self._pin else MatchedBatch(images, matches)

    def _renderer(self) -> Renderer:
        """That of this thread: it draws on a canvas of its own."""
        if not hasattr(self._own, "renderer"):
            self._own.renderer = Renderer(self._pixels, self.dataset.img_size)
        renderer: Renderer = self._own.renderer
        return renderer

    def _pixels(self, index: int) -> Image:
        return self.dataset.load_image(index)[0]


class PolygonBatches:
    """YOLOv5's own loading and augmentation with matches, for labels that are polygons.

    Args:
        batches:
            YOLOv5's batches.
        matcher:
            Matches labels and anchors.
    """

    def __init__(self, batches: EpochBatches, matcher: Matcher) -> None:
        self._batches, self._matcher = batches, matcher
        self.dataset = batches.dataset

    def __len__(self) -> int:
        return len(self._batches)

    def state_dict(self) -> dict[str, Any]:
        """See :meth:`trainable.batches.EpochBatches.state_dict`."""
        return self._batches.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See :meth:`state_dict`."""
        self._batches.load_state_dict(state)

    def epoch(self, number: int) -> Iterator[MatchedBatch]:
        """The batches of epoch ``number`` (from 0), which must be asked for in order."""
        self._matcher.refresh()
        for images, targets, _, _ in self._batches.epoch(number):
            yield MatchedBatch(images, self._matcher.match(targets))
