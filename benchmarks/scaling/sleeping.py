"""A sweep under a real Ray whose trainable sleeps: how busy its slots are."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import ray
from scaling.sleeper import Sleeper
from scaling.studies import sweep_config

from search.sweep import Options, run_sweep


def sweep(
    folder: Path, trials: int, slots: int, epochs: int, epoch_seconds: float, members: list[str]
) -> dict[str, Any]:
    """Run such a sweep and say how busy its slots were, from the first epoch's start to the last one's end."""
    config = sweep_config(folder, epochs=epochs, trials=trials, members=members)
    (folder / "seconds").write_text(str(epoch_seconds))
    here = Path(__file__).resolve().parents[1]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(here), str(here.parent), os.environ.get("PYTHONPATH", "")])
    ray.init(address="local", num_cpus=slots, include_dashboard=False, log_to_driver=False, object_store_memory=2**27)
    began = time.time()
    ended = run_sweep(config, folder / "run", Options(trainable=Sleeper))
    lines = [line.split() for path in folder.glob("epochs_*") for line in path.read_text().splitlines()]
    spans = sorted((float(begin), float(end), int(number)) for begin, end, number in lines)
    first, last = spans[0][0], max(end for _, end, _ in spans)
    starts: dict[int, float] = {}
    for begin, _, number in spans:
        starts.setdefault(number, begin)
    newest = max(starts.values())
    until = sum(min(end, newest) - begin for begin, end, _ in spans if begin < newest)
    workers = Counter(path.name for path in folder.glob("epochs_*"))
    return {
        "trials": trials, "slots": slots, "members": members, "epoch_s": epoch_seconds, "epochs_trained": len(spans),
        "busy": round(sum(end - begin for begin, end, _ in spans) / (slots * (last - first)), 3),
        "busy_until_last_start": round(until / (slots * (newest - first)), 3), "states": ended.states,
        "workers": len(workers), "seconds": round(time.time() - began, 1),
        "driver_rss_mb": round(psutil.Process().memory_info().rss / 1e6),
    }  # fmt: skip
