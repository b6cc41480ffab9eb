"""The only module that imports ``yolov5`` (7.0.14, its last release), with every work-around that it needs.

Work-arounds, each because of something that importing yolov5 does to the process:

- It reads ``YOLOv5_AUTOINSTALL`` and ``YOLO_OFFLINE``: left alone it may pip-install packages and asks the network
  whether it is there (through ultralytics), which costs seconds on a machine without one.
- It sets ``OMP_NUM_THREADS`` (to cores - 1, at least 1), which every child process would inherit: put back.
- It appends its own folder to ``sys.path``, so that ``utils`` and ``models`` become top-level packages: put back.
- It silences every ``UserWarning`` of the process and changes the print options of torch, numpy and pandas: put back.
- It imports ultralytics, which replaces ``PIL.Image.open`` (an unreadable file then asks to install packages), lifts
  PIL's guard against decompression bombs and replaces ``torch.save`` and OpenCV's file functions: put back.
- It configures a logger ``yolov5`` that prints each layer of each model: raised to WARNING.

Pins that belong to it (see constraints.txt): setuptools < 81 (it imports ``pkg_resources``) and numpy < 2.4 (it calls
``np.trapz``). Its plots (``ImageFont.getsize``) and its data set check (downloads a font, runs ``download:``) are not
used.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

PATCHED_BY_ULTRALYTICS: tuple[tuple[Any, str], ...] = (
    (Image, "open"),
    (Image, "MAX_IMAGE_PIXELS"),
    (torch, "save"),
    (cv2, "imread"),
    (cv2, "imwrite"),
    (cv2, "imshow"),
)


@contextlib.contextmanager
def _contained_import() -> Iterator[None]:
    """Undo what importing yolov5 does to the environment, the module path, the warnings and the print options."""
    environment, path = dict(os.environ), list(sys.path)
    patched = [(owner, name, getattr(owner, name)) for owner, name in PATCHED_BY_ULTRALYTICS]
    numpy_options = np.get_printoptions()
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLOv5_AUTOINSTALL", "false")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
            yield
    finally:
        sys.path[:] = path
        for owner, name, original in patched:
            setattr(owner, name, original)
        os.environ.clear()
        os.environ.update(environment)
        np.set_printoptions(**numpy_options)
        torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]  # torch left it untyped
        logging.getLogger("yolov5").setLevel(logging.WARNING)


with _contained_import():
    import yolov5
    from yolov5.models import common, yolo
    from yolov5.models.yolo import DetectionModel
    from yolov5.utils.augmentations import letterbox
    from yolov5.utils.autoanchor import check_anchors
    from yolov5.utils.dataloaders import (
        IMG_FORMATS,
        VID_FORMATS,
        LoadImagesAndLabels,
        exif_size,
        img2label_paths,
        seed_worker,
    )
    from yolov5.utils.general import (
        check_img_size,
        init_seeds,
        intersect_dicts,
        labels_to_class_weights,
        one_cycle,
        scale_boxes,
        segments2boxes,
        xywh2xyxy,
    )
    from yolov5.utils.loss import ComputeLoss
    from yolov5.utils.metrics import ap_per_class, bbox_iou
    from yolov5.utils.torch_utils import ModelEMA, smart_optimizer

__all__ = [
    "IMG_FORMATS",
    "VID_FORMATS",
    "ComputeLoss",
    "DetectionModel",
    "LoadImagesAndLabels",
    "ModelEMA",
    "ap_per_class",
    "bbox_iou",
    "check_anchors",
    "check_img_size",
    "default_activation_kept",
    "exif_size",
    "img2label_paths",
    "init_seeds",
    "intersect_dicts",
    "labels_to_class_weights",
    "letterbox",
    "one_cycle",
    "pickled_classes",
    "scale_boxes",
    "seed_worker",
    "segments2boxes",
    "smart_optimizer",
    "version",
    "xywh2xyxy",
]


def version() -> str:
    """The version of the yolov5 package, as YOLOv5 writes it into its checkpoints."""
    return str(yolov5.__version__)


@contextlib.contextmanager
def default_activation_kept() -> Iterator[None]:
    """Keep to one model what its definition says of activations.

    ``parse_model`` assigns a definition's ``activation`` to the class (``Conv.default_act``): every model that the
    process builds later would have it, too.
    """
    before = common.Conv.default_act
    try:
        yield
    finally:
        common.Conv.default_act = before


def pickled_classes() -> list[tuple[type[Any], str]]:
    """The YOLOv5 classes that a pickled checkpoint may name, as entries for ``torch.serialization.safe_globals``.

    Official weights name them under ``models.*`` (they were pickled by a checkout of the repository), those of the
    yolov5 package under ``yolov5.models.*``; up to release 6.2 ``DetectionModel`` was called ``Model``.
    """
    entries: list[tuple[type[Any], str]] = []
    for module, short in ((common, "models.common"), (yolo, "models.yolo")):
        own = f"yolov5.{short}"
        for cls in vars(module).values():
            if isinstance(cls, type) and cls.__module__ == own and issubclass(cls, torch.nn.Module):
                entries += [(cls, f"{prefix}{short}.{cls.__name__}") for prefix in ("", "yolov5.")]
    entries += [(DetectionModel, f"{prefix}models.yolo.Model") for prefix in ("", "yolov5.")]
    return entries
