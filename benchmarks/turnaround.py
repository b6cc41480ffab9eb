"""From one trial's end to the next one's first batch in a reused worker, and what 20 resets leave behind.

Drives a DetectionTrainable as Ray does (``reset``, then ``train``), with the bank warm, and beside it starts stock
``yolov5.train.train`` in a process of its own, up to its first epoch. Prints one JSON line last.

Usage: python benchmarks/turnaround.py [--data .../data.yaml] [--weights .../yolov5n.pt] [--images 200] [--resets 20]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import torch
from epoch import pictures
from sides import train

from trainable.detection import DetectionTrainable
from trainable.forward import FastForward
from trainable.settings import TrainSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--resets", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = TrainSettings(
            data=str(pictures(arguments, folder)), epochs=1, model="yolov5n", image_size=160, device="cpu",
            weights=str(arguments.weights) if arguments.weights else None,
        )  # fmt: skip
        waits, memory = resets(settings, arguments.resets)
        stock = [start_of_stock(settings, folder) for _ in range(5)]
    print(json.dumps({
        "benchmark": "turnaround", "path": "fast", "resets": arguments.resets,
        "median_s": round(statistics.median(waits), 3), "range_s": [round(min(waits), 3), round(max(waits), 3)],
        "stock_start_median_s": round(statistics.median(stock), 2), "rss_mb": [round(value / 1e6) for value in memory],
        "rss_growth_percent": round(100 * (memory[-1] / memory[1] - 1), 2),
    }))  # fmt: skip


def resets(settings: TrainSettings, count: int) -> tuple[list[float], list[int]]:
    """Seconds from each reset to the end of the first batch's forward pass, and the memory after each trial."""
    worker = DetectionTrainable(config(settings, 0))
    worker.train()
    process, memory, waits = psutil.Process(os.getpid()), [], []
    for number in range(1, count + 1):
        reached: list[float] = []
        plain = FastForward.__call__

        def forward(self: FastForward, batch: Any, plain: Any = plain, reached: list[float] = reached) -> Any:
            reached.append(time.perf_counter())
            return plain(self, batch)

        started = time.perf_counter()
        with patch.object(FastForward, "__call__", forward):
            worker.reset(config(settings, number))
            worker.train()
        waits.append(reached[0] - started)
        gc.collect()
        memory.append(process.memory_info().rss)
    worker.stop()
    return waits, memory


def config(settings: TrainSettings, number: int) -> dict[str, Any]:
    hyp = {"lr0": 0.01 / (number + 1)}
    return {"trial_number": number, "hyp": hyp, "train": settings.as_dict(), "checkpoint": None}


def start_of_stock(settings: TrainSettings, folder: Path) -> float:
    """Seconds from the start of stock YOLOv5's process to its first epoch."""
    started = time.perf_counter()  # CLOCK_MONOTONIC, which all processes share
    first: float = train("stock", settings, 1, folder)[0]["start"]
    return first - started


if __name__ == "__main__":
    main()
