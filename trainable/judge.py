"""Judges finished weights on one split of a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from trainable.batches import EpochBatches
from trainable.dataset import DataStore, YoloDataset
from trainable.hyp import Hyp
from trainable.image_bank import ImagePolicy
from trainable.metrics import Evaluation
from trainable.parts import attach, input_size, scaled_hyp, select_device
from trainable.precision import Precision
from trainable.settings import TrainSettings
from trainable.validation import evaluate
from trainable.weights import build_model, load_state
from trainable.weights_transfer import transfer
from trainable.yolov5_parts import ComputeLoss


def judge(weights: str | Path, settings: TrainSettings, hyp: Hyp, *, data: str | Path, split: str) -> Evaluation:
    """Judge ``weights`` on one split, in float32, as ``yolov5 val --batch-size 1`` does.

    One image at a time: in a batch images are padded to a common shape, so that a figure would depend on which images
    happen to share one.

    Args:
        weights:
            A checkpoint of the model that ``settings`` names, with as many classes as ``data`` has.
        settings:
            Model, image size and device.
        hyp:
            Scales the losses; the metrics do not depend on it.
        data:
            Path of the data.yaml.
        split:
            Key of the data.yaml.

    Raises:
        InputError: The weights do not fit, or the split is not to be had.
    """
    described = read_data_yaml(Path(data))
    device = select_device(settings.device)
    model = build_model(settings.model, len(described.names), hyp.anchors)
    report = transfer(model, load_state(weights), keep_anchors=False)
    if report.untaken:
        raise InputError(
            f"{weights}: {len(report.untaken)} of {report.total} tensors do not fit {settings.model} with the "
            f"{len(described.names)} classes of {data}; give weights of that model and data set."
        )
    model = model.to(device)
    stride, image_size = input_size(model, settings.image_size)
    store, policy = DataStore(), replace(ImagePolicy.of(settings), cache="none")  # each image is read once
    images = store.images(described, split, policy)
    bank = store.bank(described, split, image_size, augmented=False, policy=policy)
    dataset = YoloDataset(
        images, bank, image_size=image_size, batch_size=1, hyp=None, rect=True, stride=stride, pad=0.5
    )
    batches = EpochBatches(dataset, batch_size=1, shuffle=False, workers=settings.workers, threads=1)
    attach(model, scaled_hyp(hyp, settings, model, len(described.names), image_size), described.names)
    return evaluate(model, batches.epoch(0), ComputeLoss(model), described.names, Precision(device))
