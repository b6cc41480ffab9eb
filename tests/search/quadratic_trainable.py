"""A real trainable, quick to run: its "training" walks down a quadratic, epoch by epoch, and keeps JSON checkpoints.

It honours the whole contract of ``DetectionTrainable``. ``momentum`` is the place on the quadratic. Files beside the
data.yaml steer it: ``sleep`` holds the seconds of an epoch; ``diverge_<trial>`` makes a trial diverge in its second
epoch; ``crash_<trial>`` makes its second epoch crash as many times as it says, or ``always``. Each epoch adds a line
``trial epoch pid`` to ``epochs.log`` there.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from ray import tune

LOG = "epochs.log"


class QuadraticTrainable(tune.Trainable):
    def setup(self, config: dict[str, Any]) -> None:
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        self._folder = Path(config["train"]["data"]).parent
        self._number = config["trial_number"]
        self._hyp = config["hyp"]
        self._epochs = config["train"]["epochs"]
        self._epoch = 0
        self._distance = 1.0
        if config["checkpoint"]:
            with tune.Checkpoint(config["checkpoint"]).as_directory() as folder:
                self.load_checkpoint(folder)

    def step(self) -> dict[str, Any]:
        self._epoch += 1
        self._log()
        time.sleep(float(self._switch("sleep") or 0))
        if self._epoch == 2:
            self._maybe_crash()
        if self._epoch == 2 and self._switch(f"diverge_{self._number}") is not None:
            failure = f"diverged at epoch {self._epoch}: the loss is NaN"
            return {"epoch": self._epoch, "fitness": math.nan, "failure": failure, "done": True}
        self._distance *= 0.5
        fitness = 1.0 - (self._hyp["momentum"] - 0.8) ** 2 - self._distance
        losses = {"train_box_loss": self._distance, "val_box_loss": self._distance}
        per_class = {"cow": {"map50": fitness}}
        done = self._epoch >= self._epochs
        return {"epoch": self._epoch, "fitness": fitness, **losses, "per_class": per_class, "done": done}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        state = {"epoch": self._epoch, "distance": self._distance, "number": self._number}
        Path(checkpoint_dir, "checkpoint.json").write_text(json.dumps(state))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        state = json.loads(Path(checkpoint_dir, "checkpoint.json").read_text())
        if state["number"] != self._number:
            raise RuntimeError(f"trial {self._number} was given the checkpoint of trial {state['number']}")
        self._epoch, self._distance = state["epoch"], state["distance"]

    def _maybe_crash(self) -> None:
        times = self._switch(f"crash_{self._number}")
        if times == "always":
            raise RuntimeError("the disk is on fire")
        if times and int(times) > 0:
            (self._folder / f"crash_{self._number}").write_text(str(int(times) - 1))
            raise RuntimeError("a passing cloud")

    def _switch(self, name: str) -> str | None:
        path = self._folder / name
        return path.read_text().strip() if path.exists() else None

    def _log(self) -> None:
        with (self._folder / LOG).open("a") as file:
            file.write(f"{self._number} {self._epoch} {os.getpid()}\n")
