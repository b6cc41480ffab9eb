"""A trainable that sleeps. It imports nothing of ours: sixteen workers would load it."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from ray import tune


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
        return {"fitness": value, "map50": value, "epoch": self._epoch, "done": self._epoch >= self._epochs}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "epoch.json").write_text(json.dumps(self._epoch))

    def load_checkpoint(self, checkpoint: str | None) -> None:
        self._epoch = json.loads((Path(str(checkpoint)) / "epoch.json").read_text())
