"""A sweep under a real Ray whose trainable sleeps: how busy its slots are."""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import ray
from ray import tune
from scaling.studies import result, sweep_config

from search.sweep import Options, run_sweep


class Sleeper(tune.Trainable):
    """Trains nothing for as long as an epoch takes, and writes down when."""

    def setup(self, config: dict[str, Any]) -> None:
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        self._folder = Path(config["train"]["data"]).parent
        self._seconds = float((self._folder / "seconds").read_text())
        self._epochs, self._epoch, self._number = config["train"]["epochs"], 0, config["trial_number"]
        self._worth = 1 - abs(math.log(config["hyp"]["lr0"] / 0.01)) / 10

    def step(self) -> dict[str, Any]:
        began = time.time()
        time.sleep(self._seconds)
        self._epoch += 1
        with (self._folder / f"epochs_{os.getpid()}").open("a") as file:
            file.write(f"{began} {time.time()} {self._number}\n")
        value = self._worth * (1 - math.exp(-4 * self._epoch / self._epochs))
        return {**result(self._epoch, value), "done": self._epoch >= self._epochs}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "epoch.json").write_text(json.dumps(self._epoch))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        self._epoch = json.loads((Path(str(checkpoint)) / "epoch.json").read_text())


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
