"""Judges finished weights on one split of a data set."""

from __future__ import annotations

from pathlib import Path

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from trainable.dataset import DataStore
from trainable.hyp import Hyp
from trainable.metrics import Evaluation
from trainable.parts import attach, input_size, scaled_hyp, select_device, val_batches
from trainable.settings import TrainSettings
from trainable.validation import evaluate
from trainable.weights import build_model, load_state, transfer
from trainable.yolov5_parts import ComputeLoss


def judge(weights: str | Path, settings: TrainSettings, hyp: Hyp, *, data: str | Path, split: str) -> Evaluation:
    """Judge ``weights`` on one split, in float32, as the validation after an epoch does.

    Args:
        weights:
            A checkpoint of the model that ``settings`` names, with as many classes as ``data`` has.
        settings:
            Model, image size, batch and device.
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
    taken, total = transfer(model, load_state(weights), keep_anchors=False)
    if taken < total:
        raise InputError(
            f"{weights}: {total - taken} of {total} tensors do not fit {settings.model} with the "
            f"{len(described.names)} classes of {data}; give weights of that model and data set."
        )
    model = model.to(device)
    stride, image_size = input_size(model, settings)
    batches = val_batches(settings, split, described, DataStore(), image_size, stride)
    attach(model, scaled_hyp(hyp, settings, model, len(described.names), image_size), described.names)
    return evaluate(model, batches.epoch(0), ComputeLoss(model), described.names, device)
