"""A real trainable, quick to run: its "training" walks down a quadratic, epoch by epoch, and keeps JSON checkpoints.

It honours the whole contract of ``DetectionTrainable``. ``momentum`` is the place on the quadratic. Files beside the
data.yaml steer it:

- ``sleep`` holds the seconds of an epoch;
- ``diverge_<trial>`` makes a trial diverge in its second epoch;
- ``crash_<trial>`` and ``kill_<trial>`` make its second epoch crash, or kill its own process, as many times as they
  say, or ``always``;
- ``gone_<trial>`` makes its second epoch find no data set;
- ``disk_full_<trial>`` makes its second checkpoint be written to a device that is full, ``storage_full_<trial>`` makes
  Ray copy it to one;
- ``batch_<trial>`` is the batch that it ends with, ``gpu`` the bytes that a trial takes of a GPU, and those of the GPU.

Each epoch adds a line ``trial epoch pid`` to ``epochs.log`` there.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

from ray import tune

from data_prep.errors import DiskFullError
from trainable.failures import DATA, DIVERGED

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
        self._over = False
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
            return self._failed(f"diverged at epoch {self._epoch}: the loss is NaN", DIVERGED)
        if self._epoch == 2 and self._switch(f"gone_{self._number}") is not None:
            return self._failed(f"{self._folder}/images is gone: put the data set back.", DATA)
        self._distance *= 0.5
        fitness = 1.0 - (self._hyp["momentum"] - 0.8) ** 2 - self._distance
        losses = {"train_box_loss": self._distance, "val_box_loss": self._distance}
        per_class = {"cow": {"map50": fitness}}
        done = self._epoch >= self._epochs
        result = {"epoch": self._epoch, "fitness": fitness, **losses, "per_class": per_class, "done": done}
        return {**result, **self._measured()}

    def _failed(self, failure: str, kind: str) -> dict[str, Any]:
        self._over = True
        values = {"fitness": math.nan, "failure": failure, "failure_kind": kind}
        return {"epoch": self._epoch, **values, "done": True}

    def _measured(self) -> dict[str, int]:
        batch, gpu = self._switch(f"batch_{self._number}"), self._switch("gpu")
        found = {} if batch is None else {"batch_size": int(batch)}
        if gpu is not None:
            peak, total = map(int, gpu.split())
            found |= {"gpu_memory_peak": peak, "gpu_memory_total": total}
        return found

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        if self._over:
            return  # Ray asks for a checkpoint of the last result, too; this one would hold half an epoch
        state = {"epoch": self._epoch, "distance": self._distance, "number": self._number}
        if self._epoch == 2 and self._switch(f"storage_full_{self._number}") is not None:
            target = Path(self._storage.trial_fs_path) / f"checkpoint_{self._storage.current_checkpoint_index + 1:06d}"
            target.mkdir(exist_ok=True)
            (target / "checkpoint.json").unlink(missing_ok=True)
            (target / "checkpoint.json").symlink_to("/dev/full")
        full = self._epoch == 2 and self._switch(f"disk_full_{self._number}") is not None
        try:
            Path("/dev/full" if full else f"{checkpoint_dir}/checkpoint.json").write_text(json.dumps(state))
        except OSError as error:
            raise DiskFullError(f"{checkpoint_dir}: cannot be written ({error.strerror}); free some disk.") from error

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        state = json.loads(Path(checkpoint_dir, "checkpoint.json").read_text())
        if state["number"] != self._number:
            raise RuntimeError(f"trial {self._number} was given the checkpoint of trial {state['number']}")
        self._epoch, self._distance = state["epoch"], state["distance"]

    def _maybe_crash(self) -> None:
        if self._times(f"kill_{self._number}"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._switch(f"crash_{self._number}") == "always":
            raise RuntimeError("the disk is on fire")
        if self._times(f"crash_{self._number}"):
            raise RuntimeError("a passing cloud")

    def _times(self, name: str) -> bool:
        """Whether a switch says once more; it is turned down by one."""
        times = self._switch(name)
        if times and times != "always" and int(times) > 0:
            (self._folder / name).write_text(str(int(times) - 1))
            return True
        return times == "always"

    def _switch(self, name: str) -> str | None:
        path = self._folder / name
        return path.read_text().strip() if path.exists() else None

    def _log(self) -> None:
        with (self._folder / LOG).open("a") as file:
            file.write(f"{self._number} {self._epoch} {os.getpid()}\n")
