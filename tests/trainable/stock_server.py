"""Stock YOLOv5 in a process of its own, imported once for all the tests of a session; each job runs in a fork."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from trainable.hyp import Hyp
from trainable.models import model_yaml

SCRIPT = Path(__file__).with_name("stock_yolov5.py")


class StockServer:
    """Runs stock YOLOv5's training and validation; one thread, so that sums have one order."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._log, self._numbers = folder, folder / "log.txt", itertools.count()
        command = [sys.executable, str(SCRIPT), "--serve", str(self._log)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def train(self, spec: dict[str, Any]) -> list[dict[str, Any]]:
        """One row per epoch, see ``stock_yolov5.py``."""
        rows: list[dict[str, Any]] = self._run("train", spec)
        assert len(rows) == spec["epochs"]
        return rows

    def validate(self, spec: dict[str, Any]) -> dict[str, Any]:
        """See ``stock_val.py``."""
        found: dict[str, Any] = self._run("val", spec)
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()  # it has nothing to tidy up, and takes seconds to leave by itself
        self._process.wait()

    def _run(self, kind: str, spec: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out = self.folder / f"{next(self._numbers)}.json"
        said = self._log.stat().st_size if self._log.exists() else 0
        print(json.dumps({"kind": kind, "spec": spec, "out": str(out)}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline().strip()
        assert answer == "0", f"stock YOLOv5 failed:\n{self._log.read_bytes()[said:].decode(errors='replace')[-3000:]}"
        return json.loads(out.read_text())


def validation_spec(
    state: dict[str, torch.Tensor], data: Path, size: int, batch_size: int, folder: Path
) -> dict[str, Any]:
    """The job of :meth:`StockServer.validate` for the weights of a yolov5n; they go through a file in ``folder``."""
    torch.save(state, folder / "weights.pt")
    hyp = {name: value for name, value in Hyp().as_dict().items() if value is not None}
    return {
        "data": str(data), "weights": str(folder / "weights.pt"), "cfg": str(model_yaml("yolov5n")),
        "image_size": size, "batch_size": batch_size, "hyp": hyp, "save_dir": str(folder),
    }  # fmt: skip
