"""Runs unpatched arithmetic of ``yolov5.train.train`` and writes what each epoch reports: the oracle of the loop.

Only the doors to the outside are shut (the font download, the CSV logger's plots), and the clock by which NMS gives up
on a busy machine stands still; no number passes through them.

Usage: python stock_yolov5.py SPEC.json OUT.json
       python stock_yolov5.py --serve LOG     # jobs from stdin, see tests/trainable/stock_server.py
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import types
from pathlib import Path
from typing import Any

os.environ.update(YOLO_OFFLINE="true", YOLO_VERBOSE="false", YOLOv5_AUTOINSTALL="false")

COLUMNS = (
    "train_box_loss", "train_obj_loss", "train_cls_loss", "precision", "recall", "map50", "map50_95",
    "val_box_loss", "val_obj_loss", "val_cls_loss", "lr_bias", "lr_weight", "lr_norm",
)  # fmt: skip


def train(spec: dict[str, Any]) -> list[dict[str, Any]]:
    import torch
    import yolov5.train as stock
    from yolov5.utils.callbacks import Callbacks

    shut_doors()
    callbacks, report = Callbacks(), _Report(spec)
    callbacks.register_action("on_train_start", callback=report.start)
    callbacks.register_action("on_fit_epoch_end", callback=report.epoch)
    stock.Loggers = _NoLoggers
    torch.set_num_threads(spec["threads"])
    stock.train(dict(spec["hyp"]), _options(stock, spec), torch.device(spec.get("device", "cpu")), callbacks)
    return report.rows


def shut_doors() -> None:
    import torch
    import yolov5.utils.general as general

    general.check_font = lambda *args, **kwargs: None
    general.time = types.SimpleNamespace(time=lambda: 0.0)
    plain_load = torch.load
    torch.load = lambda *args, **kwargs: plain_load(*args, **{"weights_only": False, **kwargs})
    # Official weights are pickled under `models.*`; stock YOLOv5 finds them through its folder on sys.path.
    sys.path.append(str(Path(general.__file__).parents[1]))


def _options(stock: Any, spec: dict[str, Any]) -> Any:
    opt = stock.parse_opt(known=True)
    opt.__dict__.update(
        data=spec["data"], cfg=spec.get("cfg", ""), weights=spec.get("weights", ""), imgsz=spec["image_size"],
        epochs=spec["epochs"], batch_size=spec["batch_size"], seed=spec["seed"], optimizer=spec["optimizer"],
        cos_lr=spec["cosine"], label_smoothing=spec.get("label_smoothing", 0.0), workers=spec.get("workers", 0),
        evolve=1, noplots=True, noval=False, nosave=True, save_dir=spec["save_dir"],
        device=spec.get("device", "cpu"), cache=spec.get("cache"),
    )  # fmt: skip
    return opt


class _Report:
    """Collects a row per epoch and, where the spec has ``state``, the weights that the last epoch ended with."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec, self.rows, self.started = spec, [], 0.0

    def start(self) -> None:
        self.started = time.perf_counter()

    def epoch(self, values: list[Any], epoch: int, best: object, fitness: Any) -> None:
        classes, numbers = len(self.spec["names"]), [float(value) for value in values]
        row: dict[str, Any] = dict(zip(COLUMNS, numbers, strict=False))
        per_class = numbers[len(COLUMNS) :]
        row["per_class_map50_95"], row["per_class_map50"] = per_class[:classes], per_class[classes:]
        row["fitness"] = float(fitness[0])
        row["clock"], row["start"] = time.perf_counter(), self.started
        self.rows.append(row)
        if "state" in self.spec and epoch + 1 == self.spec["epochs"]:
            _save_state(self.spec["state"], _locals_of_train())


def _locals_of_train() -> dict[str, Any]:
    """The variables of the running ``yolov5.train.train``: no callback hands over the EMA at full precision."""
    frame = sys._getframe()
    while not (frame.f_code.co_name == "train" and frame.f_globals["__name__"] == "yolov5.train"):
        frame = frame.f_back
    return frame.f_locals


def _save_state(path: str, found: dict[str, Any]) -> None:
    import random

    import numpy as np
    import torch

    state = {
        "model": found["model"].state_dict(),
        "ema": found["ema"].ema.state_dict(),
        "ema_updates": found["ema"].updates,
        "groups": [
            {key: group[key] for key in ("lr", "weight_decay", "initial_lr")} | {"tensors": len(group["params"])}
            for group in found["optimizer"].param_groups
        ],
        "next_draws": [random.random(), float(np.random.rand()), float(torch.rand(()))],  # noqa: NPY002  # YOLOv5's
    }
    torch.save(state, path)


class _NoLoggers:
    """Takes the place of YOLOv5's loggers (files, TensorBoard, services); registers no action."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass


def serve(log: str) -> None:
    """Run jobs, one JSON line each, every one in a fork of its own; importing YOLOv5 anew takes five seconds."""
    import yolov5.train
    import yolov5.val  # noqa: F401  # the forks find it imported

    answers = os.fdopen(os.dup(1), "w")
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_run(json.loads(line)))
        print(os.waitpid(child, 0)[1], file=answers, flush=True)


def _run(job: dict[str, Any]) -> int:
    try:
        if job["kind"] == "train":
            found: Any = train(job["spec"])
        else:
            import stock_val

            found = stock_val.validate(job["spec"])
        Path(job["out"]).write_text(json.dumps(found))
    except BaseException:  # a fork must not go on into the server's loop, whatever happens to it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.argv, arguments = sys.argv[:1], sys.argv[1:]
    if arguments[0] == "--serve":
        serve(arguments[1])
    else:
        rows = train(json.loads(Path(arguments[0]).read_text()))
        Path(arguments[1]).write_text(json.dumps(rows))
