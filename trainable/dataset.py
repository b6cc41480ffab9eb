"""Data sets as YOLOv5's augmentation wants them, over labels and images that several trainings share."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import psutil

from data_prep.dataset import DatasetYaml
from trainable.image_bank import ImageBank, Loaded
from trainable.labels import LabelledImages, read_labels
from trainable.yolov5_parts import LoadImagesAndLabels

logger = logging.getLogger(__name__)


class YoloDataset(LoadImagesAndLabels):  # type: ignore[misc]  # yolov5 ships no types
    """YOLOv5's data set with its augmentation (``__getitem__``), over given labels and images.

    The base class's ``__init__`` is replaced: it unpickles ``labels.cache`` and draws from the global random stream to
    guess the memory that a cache needs. Albumentations are off: YOLOv5 switches them on when the package happens to
    be installed, which would make a trial depend on the node that it runs on.

    Args:
        images:
            Images and labels.
        bank:
            Pixels of the same images, in the same order.
        image_size:
            Side of the network's input in pixels.
        batch_size:
            Decides, with ``rect``, which images share a shape.
        hyp:
            YOLOv5's hyp mapping; None for a data set that is not augmented.
        rect:
            Batches of the least shape that holds their images (validation), instead of squares.
        stride, pad:
            Largest stride of the model, and padding in strides, of rectangular batches.
    """

    def __init__(
        self,
        images: LabelledImages,
        bank: ImageBank,
        *,
        image_size: int,
        batch_size: int,
        hyp: dict[str, Any] | None,
        rect: bool = False,
        stride: int = 32,
        pad: float = 0.0,
    ) -> None:
        self.img_size, self.stride, self.rect, self.hyp = image_size, stride, rect, hyp
        self.augment = hyp is not None
        self.mosaic = self.augment and not rect
        self.mosaic_border = [-image_size // 2, -image_size // 2]
        self.albumentations = _no_albumentations
        self.n = len(images.files)
        self.indices = range(self.n)
        self.batch = np.floor(np.arange(self.n) / batch_size).astype(int)
        self._bank, self._order = bank, np.arange(self.n)
        if rect:
            self._order = (images.shapes[:, 1] / images.shapes[:, 0]).argsort()
        self.skipped = len(images.skipped)
        self.im_files = [images.files[i] for i in self._order]
        self.labels = [images.labels[i] for i in self._order]
        self.segments = [list(images.segments[i]) for i in self._order]
        self.shapes = images.shapes[self._order]
        if rect:
            self.batch_shapes = self._rectangles(image_size, stride, pad)

    def _rectangles(self, image_size: int, stride: int, pad: float) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The (height, width) of each batch in pixels, as ``LoadImagesAndLabels`` sets "training image shapes"."""
        ratio = self.shapes[:, 1] / self.shapes[:, 0]
        shapes = [[1.0, 1.0]] * (int(self.batch[-1]) + 1)
        for batch in range(len(shapes)):
            low, high = ratio[self.batch == batch].min(), ratio[self.batch == batch].max()
            if high < 1:
                shapes[batch] = [high, 1]
            elif low > 1:
                shapes[batch] = [1, 1 / low]
        whole: np.ndarray[Any, np.dtype[np.int64]] = np.ceil(np.array(shapes) * image_size / stride + pad).astype(int)
        return whole * stride

    def fill_bank(self) -> None:
        """Decode what is kept in memory before loader processes are forked: each would decode its own and lose it."""
        self._bank.fill()

    def load_image(self, i: int) -> Loaded:
        """Pixels of image ``i``, original (h, w), resized (h, w); overrides YOLOv5's reading from disk."""
        return self._bank.load(int(self._order[i]))


class DataStore:
    """Labels and images that all trainings of one process share, whatever their hyps.

    A worker keeps its store over ``reset_config``, so that only the first trial reads labels and decodes images.
    """

    def __init__(self) -> None:
        self._images: dict[tuple[str, str], LabelledImages] = {}
        self._banks: dict[tuple[str, str, int, bool, bool], ImageBank] = {}

    def images(self, data: DatasetYaml, split: str) -> LabelledImages:
        """The labelled images of one split.

        Raises:
            InputError: The split is missing or none of its images can be used.
        """
        key = (str(data.file), split)
        if key not in self._images:
            self._images[key] = read_labels(data.images(split), len(data.names))
            for sentence in self._images[key].skipped:
                logger.warning(sentence)
        return self._images[key]

    def bank(self, data: DatasetYaml, split: str, image_size: int, *, augmented: bool, keep: bool) -> ImageBank:
        """The pixels of one split at one image size; ``keep`` holds only where they fit into half the free memory."""
        keep = keep and self._fits(data, split, image_size)
        key = (str(data.file), split, image_size, augmented, keep)
        if key not in self._banks:
            files = self.images(data, split).files
            self._banks[key] = ImageBank(files, image_size, augmented=augmented, keep=keep)
        return self._banks[key]

    def _fits(self, data: DatasetYaml, split: str, image_size: int) -> bool:
        shapes = self.images(data, split).shapes.astype(np.float64)
        pixels = shapes.prod(axis=1) * (image_size / shapes.max(axis=1)) ** 2
        needed, free = 3 * float(pixels.sum()), float(psutil.virtual_memory().available)
        if needed > free / 2:
            logger.warning("%s: %s takes %.1f GB and is read anew each time", data.file, split, needed / 1e9)
        return needed <= free / 2


def _no_albumentations(image: Any, labels: Any) -> tuple[Any, Any]:  # noqa: ANN401  # yolov5's untyped protocol
    return image, labels
