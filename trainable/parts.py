"""Sets up what one training needs, in YOLOv5's order, which is also the order in which it draws random numbers."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_prep.dataset import DatasetYaml, read_data_yaml
from data_prep.errors import DataMissingError, InputError
from trainable.augmented import AugmentedBatches, PolygonBatches
from trainable.batches import EpochBatches
from trainable.dataset import DataStore, YoloDataset
from trainable.downloads import find_weights
from trainable.ema import ForeachEMA
from trainable.forward import ExactForward, FastForward, Forward
from trainable.hyp import Hyp
from trainable.image_bank import ImagePolicy
from trainable.loss import MatchedLoss, Matcher
from trainable.precision import Precision, choose_precision
from trainable.replicas import ALONE, Replicas
from trainable.schedule import Schedule
from trainable.settings import TrainSettings
from trainable.silver.training import silver_images
from trainable.weights import build_model, load_state
from trainable.weights_transfer import start_from
from trainable.yolov5_parts import (
    ComputeLoss,
    DetectionModel,
    ModelEMA,
    check_anchors,
    check_img_size,
    init_seeds,
    labels_to_class_weights,
    smart_optimizer,
)

logger = logging.getLogger(__name__)

TrainBatches = EpochBatches | AugmentedBatches | PolygonBatches


@dataclass(frozen=True)
class TrainingParts:
    """What one training consists of."""

    data: DatasetYaml
    device: torch.device
    precision: Precision
    model: DetectionModel
    ema: ModelEMA
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    schedule: Schedule
    train: TrainBatches
    val: EpochBatches | None
    forward: Forward
    compute_loss: ComputeLoss

    @property
    def fast(self) -> bool:
        """Whether this is the fast path."""
        return isinstance(self.forward, FastForward)

    @property
    def skipped_images(self) -> int:
        """How many images were left out because they or their labels are broken."""
        return self.train.dataset.skipped + (self.val.dataset.skipped if self.val else 0)


def select_device(name: str, key: str = "train.device") -> torch.device:
    """The device of a ``device`` setting; ``key`` is how messages call the setting.

    Raises:
        InputError: It names no device, or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device: torch.device | None = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in {"cpu", "cuda"}:
        raise InputError(f"{key} is {name!r}: give `auto`, `cpu`, `cuda` or `cuda:N`.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"{key} is {name!r} and torch sees {torch.cuda.device_count()} GPUs; use `auto`.")
    return device


def set_up(settings: TrainSettings, hyp: Hyp, store: DataStore, replicas: Replicas = ALONE) -> TrainingParts:
    """Build everything, as ``yolov5.train.train`` does between its start and its first epoch.

    Several workers that train together build the same, each with its share of the batches; the first one validates.

    Raises:
        InputError: Model, weights, data set or device are not to be had, or the batch cannot be shared.
    """
    if settings.optimizer != "SGD" and hyp.momentum >= 1:
        raise InputError(f"hyp `momentum` is {hyp.momentum:g}: {settings.optimizer} needs it below 1.")
    device = select_device(settings.device)
    replicas.check(settings.batch_size, device)
    precision = choose_precision(settings, device)
    data = read_data_yaml(Path(settings.data))
    init_seeds(settings.seed, deterministic=device.type == "cpu")
    model = create_model(settings, hyp, len(data.names)).to(device, memory_format=precision.format)
    stride, image_size = input_size(model, settings.image_size)
    optimizer = _optimizer(model, settings, hyp)
    ema = (ForeachEMA if settings.path == "fast" else ModelEMA)(model)
    dataset = _train_dataset(settings, hyp, data, store, image_size)
    val = None
    if settings.val_split is not None and replicas.first:
        val = _val_batches(settings, settings.val_split, data, store, image_size, stride)
    if settings.autoanchor:
        check_anchors(dataset, model=model, thr=hyp.anchor_t, imgsz=image_size)
    model.half().float()  # YOLOv5: "pre-reduce anchor precision"; it rounds the weights, too
    attach(model, scaled_hyp(hyp, settings, model, len(data.names), image_size), data.names)
    weights = labels_to_class_weights(dataset.labels, model.nc)
    model.class_weights = weights.to(device) * model.nc
    loss = ComputeLoss(model)
    train, forward = _train_batches(settings, hyp.as_dict(), dataset, store, model, loss, precision, replicas)
    replicas.agree((dataset.n, sum(map(len, dataset.labels))), "pictures and labels")
    replicas.agree(str(precision.dtype), "precision, because their GPUs differ")
    forward = dataclasses.replace(forward, joined=replicas.joined(model, device))
    return TrainingParts(
        data, device, precision, model, ema, optimizer, torch.amp.GradScaler(device.type, enabled=precision.scaled),
        Schedule(hyp, settings, len(train)), train, val, forward, loss,
    )  # fmt: skip


def _optimizer(model: DetectionModel, settings: TrainSettings, hyp: Hyp) -> torch.optim.Optimizer:
    """YOLOv5's optimizer and parameter groups."""
    # The brackets are YOLOv5's: without them the last bit differs at some batch sizes.
    decay = hyp.weight_decay * (settings.batch_size * settings.accumulation / settings.nominal_batch_size)
    optimizer: torch.optim.Optimizer = smart_optimizer(model, settings.optimizer, hyp.lr0, hyp.momentum, decay)
    for group in optimizer.param_groups:
        group["initial_lr"] = hyp.lr0
        # Not `fused`: on a CPU it pairs elements by their place in memory and is silently wrong where the strides of a
        # weight and of its momentum differ, as they may after a checkpoint (torch 2.14).
        group["foreach"] = settings.path == "fast" or None
    return optimizer


def create_model(settings: TrainSettings, hyp: Hyp, class_count: int) -> DetectionModel:
    """The model to train, with the weights to start from in it.

    Raises:
        InputError: There is no such model, or the weights are none of it.
        WorkFailedError: The weights cannot be fetched now.
    """
    # A bad weights file is found before the time to build a model is spent; it draws no random number.
    weights = find_weights(settings.weights, settings.weights_sha256) if settings.weights else None
    state = load_state(weights) if weights else None
    model = build_model(settings.model, class_count, hyp.anchors)
    if state is not None:
        start_from(model, state, keep_anchors=bool(hyp.anchors), weights=str(weights), name=settings.model)
    for parameter in model.parameters():
        parameter.requires_grad = True
    return model


def _train_dataset(
    settings: TrainSettings, hyp: Hyp, data: DatasetYaml, store: DataStore, image_size: int
) -> YoloDataset:
    policy = ImagePolicy.of(settings)
    images = store.images(data, settings.train_split, policy)
    images, rows = silver_images(settings, data, images)
    if settings.silver and not any(len(labels) for labels in images.labels):
        # The fault of this trial's thresholds, not of the data: others go on.
        rule = ", ".join(f"{name} {value:g}" for name, value in settings.silver.items())
        raise InputError(f"{settings.data}: with the silver thresholds {rule} no image has a label; take looser ones.")
    if not any(len(labels) for labels in images.labels):
        raise DataMissingError(
            f"{settings.data}: no image of split `{settings.train_split}` has a label to learn from; put the label "
            "files where they were, or name another split."
        )
    bank = store.bank(data, settings.train_split, image_size, augmented=True, policy=policy)
    bank = bank if rows is None else bank.subset(rows)
    return YoloDataset(images, bank, image_size=image_size, batch_size=settings.batch_size, hyp=hyp.as_dict())


def _train_batches(
    settings: TrainSettings,
    hyp: Mapping[str, float],
    dataset: YoloDataset,
    store: DataStore,
    model: DetectionModel,
    loss: ComputeLoss,
    precision: Precision,
    replicas: Replicas,
) -> tuple[TrainBatches, ExactForward | FastForward]:
    """The training batches of the chosen path, and what computes the loss of one."""
    size, seed = settings.batch_size, settings.seed
    if settings.path == "fast" and not any(dataset.segments):
        matcher = Matcher(model, dataset.img_size)
        threads, pin = max(settings.workers, 1), precision.device.type == "cuda"
        bank = store.on_device(dataset.bank, precision.device)
        augmented = AugmentedBatches(
            dataset, hyp, size, seed=seed, matcher=matcher, threads=threads, pin=pin, bank=bank, replicas=replicas
        )
        return augmented, FastForward(model, MatchedLoss(loss), precision)
    plain = EpochBatches(dataset, size, shuffle=True, seed=seed, workers=settings.workers, replicas=replicas)
    if settings.path == "exact":
        return plain, ExactForward(model, loss, precision)
    logger.info("%s: labels are polygons, which YOLOv5 augments itself, more slowly", settings.data)
    return PolygonBatches(plain, Matcher(model, dataset.img_size)), FastForward(model, MatchedLoss(loss), precision)


def _val_batches(
    settings: TrainSettings, split: str, data: DatasetYaml, store: DataStore, image_size: int, stride: int
) -> EpochBatches:
    """Validation batches of twice the training's size, rectangular and padded by half a stride, as YOLOv5 has them."""
    policy = ImagePolicy.of(settings)
    images = store.images(data, split, policy)
    bank = store.bank(data, split, image_size, augmented=False, policy=policy)
    batch_size = settings.batch_size * 2
    dataset = YoloDataset(
        images, bank, image_size=image_size, batch_size=batch_size, hyp=None, rect=True, stride=stride, pad=0.5
    )
    # Threads whatever the path: nothing is drawn here, and processes would be started anew for each epoch.
    return EpochBatches(dataset, batch_size, shuffle=False, threads=max(settings.workers, 1))


def scaled_hyp(
    hyp: Hyp, settings: TrainSettings, model: DetectionModel, class_count: int, image_size: int
) -> dict[str, Any]:
    """The hyp mapping that YOLOv5's loss reads: gains scaled to layers, classes and image size."""
    layers = model.model[-1].nl
    scaled: dict[str, Any] = dict(hyp.as_dict())
    scaled["box"] *= 3 / layers
    scaled["cls"] *= class_count / 80 * 3 / layers
    scaled["obj"] *= (image_size / 640) ** 2 * 3 / layers
    scaled["label_smoothing"] = settings.label_smoothing
    return scaled


def attach(model: DetectionModel, hyp: dict[str, Any], names: Sequence[str]) -> None:
    """Attach what YOLOv5 keeps on its models and reads from them; the stripped weights carry it."""
    model.nc, model.hyp, model.names = len(names), hyp, dict(enumerate(names))


def input_size(model: DetectionModel, image_size: int) -> tuple[int, int]:
    """The largest stride of a model, and the image size as a multiple of it, both in pixels."""
    stride = max(int(model.stride.max()), 32)
    return stride, check_img_size(image_size, stride, floor=stride * 2)
