"""Runs unpatched arithmetic of ``yolov5.val.run``: the oracle of validation. Called by ``stock_yolov5.py --serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def validate(spec: dict[str, Any]) -> dict[str, Any]:
    """Judge a state_dict as the training does it, or, with ``command``, a checkpoint as ``yolov5 val`` does it.

    Returns:
        ``results`` (precision, recall, mAP50, mAP50-95, box, obj and cls loss), what ``ap_per_class`` returned inside
        (``precision``, ``recall``, ``ap`` and ``classes``; empty where it was not called), and per image file the
        ``detections`` in pixels of the original image: x1, y1, x2, y2, confidence, class.
    """
    import torch
    import yolov5.val as stock
    from stock_yolov5 import shut_doors
    from yolov5.utils.callbacks import Callbacks

    shut_doors()
    torch.set_num_threads(1)
    found: dict[str, Any] = {"precision": [], "recall": [], "ap": [], "classes": [], "detections": {}}
    plain = stock.ap_per_class

    def remember(*args: Any, **kwargs: Any) -> Any:
        values = plain(*args, **kwargs)
        names = ("precision", "recall", "ap", "classes")
        found.update(zip(names, (values[index].tolist() for index in (2, 3, 5, 6)), strict=True))
        return values

    def keep(_: object, native: torch.Tensor, path: Path, *__: object) -> None:
        found["detections"][str(path)] = native.tolist()

    stock.ap_per_class = remember
    callbacks = Callbacks()
    callbacks.register_action("on_val_image_end", callback=keep)
    run = _command if spec.get("command") else _within_training
    results, _, _, _ = run(stock, spec, callbacks)
    found["results"] = [float(value) for value in results]
    return found


def _command(stock: Any, spec: dict[str, Any], callbacks: Any) -> Any:
    return stock.run(
        spec["data"], weights=spec["weights"], batch_size=spec["batch_size"], imgsz=spec["image_size"], device="cpu",
        workers=0, half=False, plots=False, project=spec["save_dir"], callbacks=callbacks,
    )  # fmt: skip


def _within_training(stock: Any, spec: dict[str, Any], callbacks: Any) -> Any:
    """As ``yolov5.train.train`` calls it after each epoch."""
    import torch
    from yolov5.models.yolo import Model
    from yolov5.utils.dataloaders import create_dataloader
    from yolov5.utils.general import check_dataset
    from yolov5.utils.loss import ComputeLoss

    data, size = check_dataset(spec["data"]), spec["image_size"]
    model = Model(spec["cfg"], ch=3, nc=data["nc"])
    model.load_state_dict(torch.load(spec["weights"]))
    stride, layers, hyp = max(int(model.stride.max()), 32), model.model[-1].nl, dict(spec["hyp"])
    hyp["box"] *= 3 / layers
    hyp["cls"] *= data["nc"] / 80 * 3 / layers
    hyp["obj"] *= (size / 640) ** 2 * 3 / layers
    hyp["label_smoothing"] = 0.0
    model.nc, model.hyp, model.names = data["nc"], hyp, data["names"]
    loader = create_dataloader(
        data["val"], size, spec["batch_size"], stride, hyp=hyp, rect=True, workers=0, pad=0.5, prefix="val: "
    )[0]
    return stock.run(
        data, batch_size=spec["batch_size"], imgsz=size, half=False, model=model, dataloader=loader, plots=False,
        save_dir=Path(spec["save_dir"]), callbacks=callbacks, compute_loss=ComputeLoss(model),
    )  # fmt: skip
