"""Runs unpatched arithmetic of ``yolov5.train.train`` and writes what each epoch reports: the oracle of the loop.

Only the doors to the outside are shut (the font download, the CSV logger's plots); no number passes through them.
Usage: python stock_yolov5.py SPEC.json OUT.json
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.update(YOLO_OFFLINE="true", YOLO_VERBOSE="false", YOLOv5_AUTOINSTALL="false")


def train(spec: dict) -> list[dict]:
    import torch
    import yolov5.train as stock
    import yolov5.utils.general as general
    from yolov5.utils.callbacks import Callbacks

    general.check_font = lambda *args, **kwargs: None
    plain_load = torch.load
    torch.load = lambda *args, **kwargs: plain_load(*args, **{"weights_only": False, **kwargs})
    # Official weights are pickled under `models.*`; stock YOLOv5 finds them through its folder on sys.path.
    sys.path.append(str(Path(stock.__file__).parent))
    opt = stock.parse_opt(known=True)
    opt.__dict__.update(
        data=spec["data"], cfg=spec.get("cfg", ""), weights=spec.get("weights", ""), imgsz=spec["image_size"],
        epochs=spec["epochs"], batch_size=spec["batch_size"], seed=spec["seed"], optimizer=spec["optimizer"],
        cos_lr=spec["cosine"], workers=0, evolve=1, noplots=True, noval=False, nosave=True, save_dir=spec["save_dir"],
        device="cpu", cache=None,
    )  # fmt: skip
    rows: list[dict] = []
    callbacks = Callbacks()
    classes = len(spec["names"])

    def keep(values: list, epoch: int, best: object, fitness: object) -> None:
        numbers = [float(value) for value in values]
        names = [
            "train_box_loss", "train_obj_loss", "train_cls_loss", "precision", "recall", "map50", "map50_95",
            "val_box_loss", "val_obj_loss", "val_cls_loss", "lr_bias", "lr_weight", "lr_norm",
        ]  # fmt: skip
        row = dict(zip(names, numbers, strict=False))
        row["per_class_map50_95"] = numbers[13 : 13 + classes]
        row["fitness"] = float(fitness[0])
        row["clock"], row["start"] = time.perf_counter(), started[0]
        rows.append(row)

    started: list[float] = []
    callbacks.register_action("on_train_start", callback=lambda: started.append(time.perf_counter()))
    callbacks.register_action("on_fit_epoch_end", callback=keep)
    stock.Loggers = _NoLoggers
    torch.set_num_threads(spec["threads"])
    stock.train(dict(spec["hyp"]), opt, torch.device("cpu"), callbacks)
    return rows


class _NoLoggers:
    """Takes the place of YOLOv5's loggers (files, TensorBoard, services); registers no action."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass


if __name__ == "__main__":
    sys.argv, arguments = sys.argv[:1], sys.argv[1:]
    rows = train(json.loads(Path(arguments[0]).read_text()))
    Path(arguments[1]).write_text(json.dumps(rows))
