"""Trains with so much more address space than the process has after its set-up, and writes what became of it.

Usage: python limited_memory.py DATA IMAGE_SIZE MEGABYTES BATCH_SIZE OUT.json
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import torch

from data_prep.errors import OutOfMemoryError
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings


def main(data: str, image_size: int, megabytes: int, batch_size: int) -> dict[str, object]:
    torch.set_num_threads(1)
    settings = TrainSettings(
        data=data, epochs=2, model="yolov5n", image_size=image_size, batch_size=batch_size, device="cpu",
        val_split=None, cache="none",
    )  # fmt: skip
    loop = EpochLoop(settings, Hyp(mosaic=0.5))
    if megabytes:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        row = loop.run_epoch().as_dict()
    except OutOfMemoryError as error:
        return {"error": str(error), "batch_size": loop.settings.batch_size}
    return {name: row[name] for name in ("batch_size", "train_box_loss", "train_obj_loss", "train_cls_loss")}


if __name__ == "__main__":
    found = main(sys.argv[1], *map(int, sys.argv[2:5]))
    Path(sys.argv[5]).write_text(json.dumps(found))
