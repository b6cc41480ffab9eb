"""The candidates of pictures: each goes through the network once, and all that NMS could choose from is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_prep.errors import InputError
from data_prep.progress import Progress
from data_prep.silver.offers import Offer
from data_prep.store import RawStore
from trainable.detector import Detector
from trainable.nms import candidates_of
from trainable.predict.run import forward, preparing
from trainable.predict.sources import Load, Picture, Unreadable, load_picture
from trainable.prefetch import prefetch
from trainable.silver.file import MAX_CANDIDATES, SilverPicture, read_about, read_pictures, writing
from trainable.silver.labels import Candidates


def predict_offers(
    detector: Detector,
    offers: Sequence[Offer],
    store: RawStore,
    path: Path,
    about: dict[str, Any],
    progress: Progress,
) -> Iterator[Candidates]:
    """The candidates of pictures, in their order; kept in a file, so that a run that was cut off has them already.

    Args:
        detector:
            The model.
        offers:
            The pictures.
        store:
            Reads them.
        path:
            The file. What lies there is taken if it is of the same pictures, weights and settings.
        about:
            Weights and settings: ``image_size`` and ``floor`` among them.
        progress:
            Told of each picture, as stage ``predict``.

    Raises:
        InputError: A picture cannot be read any more.
        OSError: The file cannot be written.
    """
    whole = {**about, "pictures": [offer.record.sha256 for offer in offers]}
    if read_about(path) != whole:
        with writing(path, whole) as writer:
            predicted = _predict(detector, offers, store, about["image_size"], about["floor"])
            for done, (offer, candidates) in enumerate(zip(offers, predicted, strict=True), 1):
                nothing = np.zeros((0, 5), np.float32)
                writer.add(SilverPicture(offer.record.sha256, offer.gold, candidates, nothing))
                progress("predict", done, len(offers))
    return (picture.candidates for picture in read_pictures(path))


def _predict(
    detector: Detector, offers: Sequence[Offer], store: RawStore, image_size: int, floor: float
) -> Iterator[Candidates]:
    stride, size = detector.input_size(image_size)
    loads = [_loading(store, offer) for offer in offers]
    for found in prefetch(preparing(size, stride), loads):
        if isinstance(found, Unreadable):
            raise InputError(f"{found.source} {found.reason}; mend or remove it and run again.")
        yield candidates(detector, *found, floor)


def _loading(store: RawStore, offer: Offer) -> Load:
    source = offer.record.source
    if source is None:
        raise InputError(f"{offer.name} has no picture; remove it.")
    load: Callable[[], Picture | Unreadable] = partial(load_picture, store, source, offer.name)
    return load


@torch.inference_mode()
def candidates(detector: Detector, picture: Picture, pixels: torch.Tensor, floor: float) -> Candidates:
    """What NMS could choose from, of one picture.

    Args:
        detector:
            The model.
        picture:
            The picture.
        pixels:
            Shape (1, 3, h, w), uint8: what the network sees of it.
        floor:
            Less confident boxes are left out.
    """
    rows = candidates_of(forward(detector, pixels), floor)[:MAX_CANDIDATES].cpu().numpy()
    height, width = picture.pixels.shape[:2]
    input_height, input_width = pixels.shape[2:]
    # As `yolov5.utils.general.scale_boxes`, but without cutting at the edge: NMS comes later.
    gain = min(input_height / height, input_width / width)
    pad = np.array([(input_width - width * gain) / 2, (input_height - height * gain) / 2] * 2)
    boxes = (rows[:, :4] - pad) / gain / np.array([width, height] * 2)
    return Candidates(boxes.astype(np.float32), rows[:, 4], rows[:, 5].astype(np.int16))
