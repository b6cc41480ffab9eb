"""Detections of all images after NMS and matching, in one table that confidence and number cut."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from trainable.nms import NmsSettings, keep
from trainable.prefetch import prefetch
from trainable.raw_file import RawFile, RawImage
from trainable.validation import IOU_LEVELS, correct_detections

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of several images, most confident first; row i of each field belongs to detection i.

    Attributes:
        confidence:
            Shape (n,), float32.
        kind:
            Shape (n,), int16: the class.
        image:
            Shape (n,), int32: number of the image in the raw predictions.
        rank:
            Shape (n,), int32: how many more confident detections the image has.
        correct:
            Shape (n, 10): whether it matches a label at IoU 0.50, 0.55 ... 0.95.
    """

    confidence: Floats
    kind: npt.NDArray[np.int16]
    image: npt.NDArray[np.int32]
    rank: npt.NDArray[np.int32]
    correct: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.confidence)

    def take(self, rows: npt.NDArray[np.bool_] | Ints) -> Detections:
        """Some of them, by a mask or by ascending numbers."""
        return Detections(self.confidence[rows], self.kind[rows], self.image[rows], self.rank[rows], self.correct[rows])

    def cut(self, settings: NmsSettings) -> Detections:
        """Those that are more confident than a threshold and among the first of their image."""
        return self.take((self.confidence > np.float32(settings.confidence)) & (self.rank < settings.max_detections))


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of all images.

    Attributes:
        counts:
            Shape (images, classes), int64.
    """

    counts: Ints

    @classmethod
    def of(cls, raw: RawFile, classes: int) -> Labels:
        """Count those of raw predictions."""
        rows = [np.bincount(image.labels[:, 0].numpy().astype(np.int64), minlength=classes) for image in raw]
        return cls(np.stack(rows) if rows else np.zeros((0, classes), np.int64))

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.counts)


def detect(raw: RawFile, iou: float, most: int, *, agnostic: bool) -> Detections:
    """All detections down to the confidence of the raw predictions.

    Args:
        raw:
            The raw predictions; a few images of them are in memory at a time.
        iou:
            Threshold of NMS.
        most:
            Detections of an image at most.
        agnostic:
            Whether boxes of other classes suppress a box, too.
    """
    settings = NmsSettings(0.0, iou, most, agnostic)  # the raw predictions were cut already
    threads = len(os.sched_getaffinity(0))
    found = list(prefetch(partial(_detect_one, settings=settings), raw, threads))
    none = (np.zeros(0, np.float32), np.zeros(0, np.int16), np.zeros((0, len(IOU_LEVELS)), bool))
    confidence, kind, correct = (np.concatenate(column) for column in zip(none, *found, strict=True))
    counts = [len(confidences) for confidences, _, _ in found]
    image = np.repeat(np.arange(len(found), dtype=np.int32), counts)
    rank = np.concatenate([np.zeros(0, np.int32), *(np.arange(count, dtype=np.int32) for count in counts)])
    return _sorted(Detections(confidence, kind, image, rank, correct))


def merge(parts: Iterable[Detections]) -> Detections:
    """Detections of different images in one table."""
    columns = zip(*((each.confidence, each.kind, each.image, each.rank, each.correct) for each in parts), strict=True)
    return _sorted(Detections(*(np.concatenate(column) for column in columns)))


def of_images(found: Detections, images: Sequence[int] | Ints, count: int) -> Detections:
    """Those of some images; ``count`` is how many images there are."""
    mask = np.zeros(count, bool)
    mask[images] = True
    return found.take(mask[found.image])


def _sorted(found: Detections) -> Detections:
    return found.take(np.argsort(-found.confidence, kind="stable"))


@torch.inference_mode()
def _detect_one(image: RawImage, settings: NmsSettings) -> tuple[Floats, npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    found = keep(image.candidates, settings)
    height, width = image.size
    labels = image.labels.clone()
    labels[:, 1:] *= torch.tensor((width, height, width, height))
    correct = correct_detections(found, labels, image.size, image.letterbox)
    return found[:, 4].numpy(), found[:, 5].numpy().astype(np.int16), correct
