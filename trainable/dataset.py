"""Data sets as YOLOv5's augmentation wants them, over labels and images that several trainings share."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from data_prep.dataset import DatasetYaml
from trainable.augment.render_device import DeviceBank
from trainable.bank_build import BankContent
from trainable.bank_check import check_images
from trainable.bank_folder import CacheFolder, disk_folder
from trainable.bank_key import manifest_sha256
from trainable.device_bank import put_on_device, view_on_device
from trainable.image_bank import ImageBank, ImagePolicy, Loaded, open_bank
from trainable.labels import LabelledImages, read_labels
from trainable.yolov5_parts import LoadImagesAndLabels

logger = logging.getLogger(__name__)

DEFAULT = ImagePolicy()


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

    @property
    def bank(self) -> ImageBank:
        """The pixels, in the order of the images unless batches are rectangular."""
        return self._bank

    @property
    def sizes(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Width and height in pixels of each image as :meth:`load_image` gives it, shape (n, 2)."""
        return self._bank.sizes[self._order, ::-1].astype(np.int64)

    def load_image(self, i: int) -> Loaded:
        """Pixels of image ``i``, original (h, w), resized (h, w); overrides YOLOv5's reading from disk."""
        return self._bank.load(int(self._order[i]))


class DataStore:
    """Labels and images that all trainings of one process share, whatever their hyps.

    A worker keeps its store over ``reset_config``, so that only the first trial reads labels and maps images.
    """

    def __init__(self) -> None:
        self._images: dict[tuple[str, str, ImagePolicy], LabelledImages] = {}
        self._banks: dict[tuple[str, str, ImagePolicy, int, bool], ImageBank] = {}
        self._on_device: dict[tuple[ImageBank, torch.device], DeviceBank | None] = {}

    def images(self, data: DatasetYaml, split: str, policy: ImagePolicy = DEFAULT) -> LabelledImages:
        """The labelled images of one split; which of them are left out does not depend on ``policy.cache``.

        Raises:
            DataMissingError: A file of the split is gone, none of its images can be used, or a label names an unknown
                class.
            ImageError: An image is broken, and ``policy`` is to fail.
            InputError: The split is no key of the data.yaml.
        """
        key = (str(data.file), split, policy)
        if key not in self._images:
            files = sorted(str(path) for path in data.images(split))
            checked = check_images(files, manifest_sha256(data.file), _folder(policy))
            skip = policy.broken_images == "skip"
            self._images[key] = read_labels(checked, len(data.names), skip_broken=skip)
            for sentence in self._images[key].skipped:
                logger.warning(sentence)
        return self._images[key]

    def bank(
        self, data: DatasetYaml, split: str, image_size: int, *, augmented: bool, policy: ImagePolicy = DEFAULT
    ) -> ImageBank:
        """The pixels of the images of one split, in their order, at one image size.

        Raises:
            DataMissingError, ImageError, InputError: As :meth:`images`.
            WorkFailedError: An image changed since it was checked.
        """
        key = (str(data.file), split, policy, image_size, augmented)
        if key not in self._banks:
            images = self.images(data, split, policy)
            content = BankContent(images.files, images.sizes, image_size, augmented, manifest_sha256(data.file))
            self._banks[key] = open_bank(content, policy)
        return self._banks[key]

    def on_device(self, bank: ImageBank, device: torch.device) -> DeviceBank | None:
        """The pixels of a bank of this store in a GPU's memory; see :func:`trainable.device_bank.put_on_device`."""
        key = (bank.whole, device)
        if key not in self._on_device:
            self._on_device[key] = put_on_device(bank.whole, device)
        moved = self._on_device[key]
        return moved if moved is None else view_on_device(bank, moved)


def _folder(policy: ImagePolicy) -> CacheFolder | None:
    try:
        return disk_folder(policy.cache_dir)
    except OSError as error:
        logger.warning("each training checks all images for itself (%s); set train.cache_dir", error)
        return None


def _no_albumentations(image: Any, labels: Any) -> tuple[Any, Any]:  # noqa: ANN401  # yolov5's untyped protocol
    return image, labels
