"""Raw predictions: a detector is run once over labelled images, and all that NMS could choose from is kept.

What NMS, a confidence threshold or a bound on the detections make of them can then be tried as often as one likes
(:mod:`trainable.thresholds`) without the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch

from data_prep.dataset import DatasetYaml
from data_prep.files import file_sha256
from data_prep.progress import Progress, silent
from trainable.bank_key import key_of, manifest_sha256
from trainable.batches import Batch, EpochBatches
from trainable.dataset import DataStore, YoloDataset
from trainable.detector import Detector
from trainable.image_bank import ImagePolicy
from trainable.labels import LabelledImages
from trainable.nms import CONFIDENCE, candidates_of
from trainable.precision import Precision
from trainable.prefetch import prefetch
from trainable.raw_file import RawFile, RawImage, find_raw, writing

FORMAT = 1
"""Version of what is kept; another one is made anew."""
POLICY = ImagePolicy(cache="none")
"""Each image is read once; a broken one is named and left out."""


@dataclass(frozen=True, kw_only=True)
class RawRun:
    """What raw predictions are made of.

    Attributes:
        detector:
            The model.
        data:
            The data set.
        split:
            Key of the data.yaml.
        image_size:
            Longer side of the network's input in pixels.
        confidence:
            Only boxes that are more confident are kept; a threshold below it cannot be tried.
    """

    detector: Detector
    data: DatasetYaml
    split: str
    image_size: int
    confidence: float = CONFIDENCE


def raw_predictions(run: RawRun, path: Path, progress: Progress = silent, elsewhere: Sequence[Path] = ()) -> RawFile:
    """The raw predictions of a run: those in ``path``, if they are of this run, else made now and put there.

    Images go through the network one at a time, in the shape and precision in which :func:`trainable.judge.judge` has
    them, so that figures made of them are its figures. Memory holds a few images, whatever their number.

    Args:
        run:
            What is predicted.
        path:
            The file.
        progress:
            Told of each image, as stage ``predict``.
        elsewhere:
            Other files that may hold them already.

    Raises:
        DataMissingError: The split has no image that can be used, or a label of an unknown class.
        DiskFullError, WorkFailedError: The file cannot be written, or an image changed meanwhile.
        InputError: The data.yaml has no such split.
    """
    store = DataStore()
    images = store.images(run.data, run.split, POLICY)
    about = _about(run, images)
    found = next(filter(None, (find_raw(place, about) for place in (path, *elsewhere))), None)
    if found is not None:
        return found
    with writing(path, about) as writer:
        for done, image in enumerate(_predict(run, store), 1):
            writer.add(image)
            progress("predict", done, len(images.files))
    return RawFile(path, about, len(images.files))


def _about(run: RawRun, images: LabelledImages) -> dict[str, Any]:
    """All that decides what the file holds: weights, data and settings; not where or on what it is computed."""
    return {
        "format": FORMAT,
        "weights_sha256": file_sha256(run.detector.weights),
        "model": run.detector.definition,
        "names": list(run.detector.names),
        "data": key_of(images.files, manifest=manifest_sha256(run.data.file)),
        "labels_sha256": labels_sha256(images),
        "split": run.split,
        "image_size": run.detector.input_size(run.image_size)[1],
        "confidence": run.confidence,
        "opencv": cv2.__version__,
        "torch": torch.__version__,
    }


def labels_sha256(images: LabelledImages) -> str:
    """SHA-256 of the names and labels of images, wherever they lie."""
    digest = hashlib.sha256()
    for file, labels in zip(images.files, images.labels, strict=True):
        digest.update(f"{Path(file).name} {len(labels)}\n".encode())
        digest.update(labels.astype("<f4").tobytes())
    return digest.hexdigest()


def _predict(run: RawRun, store: DataStore) -> Iterator[RawImage]:
    detector = run.detector
    stride, image_size = detector.input_size(run.image_size)
    bank = store.bank(run.data, run.split, image_size, augmented=False, policy=POLICY)
    images = store.images(run.data, run.split, POLICY)
    dataset = YoloDataset(
        images, bank, image_size=image_size, batch_size=1, hyp=None, rect=True, stride=stride, pad=0.5
    )
    batches = EpochBatches(dataset, batch_size=1, shuffle=False, threads=1)
    precision = Precision(detector.device)

    def forward() -> Iterator[tuple[torch.Tensor, Batch]]:
        for batch in batches.epoch(0):
            with torch.inference_mode(), precision.computing(detector.model):
                prediction = detector.model(precision.pixels(batch[0]))[0][0].float()
            yield prediction, batch

    @torch.inference_mode()
    def chosen(predicted: tuple[torch.Tensor, Batch]) -> RawImage:
        prediction, (pixels, labels, files, shapes) = predicted
        rows = candidates_of(prediction, run.confidence).cpu()
        return RawImage(files[0], shapes[0], (pixels.shape[2], pixels.shape[3]), rows, labels[:, 1:])

    yield from prefetch(chosen, forward())  # while the network is at the next image
