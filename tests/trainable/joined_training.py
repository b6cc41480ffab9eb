"""One of several workers that train together: ``python -m tests.trainable.joined_training SPEC RANK``.

SPEC is a JSON file: ``settings`` and ``hyp``, ``workers``, ``rendezvous`` (a file that is not there yet), ``begin``
(folder of a checkpoint or null), ``epochs`` to run, and ``out``, a folder for the first worker's checkpoint and all
workers' metrics.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.replicas import Replicas
from trainable.settings import TrainSettings


def train_together(
    settings: TrainSettings, hyp: Hyp, out: Path, *, workers: int, epochs: int, begin: Path | None = None
) -> list[list[dict[str, Any]]]:
    """Run epochs with so many workers, each a process; the metrics that each of them reported."""
    out.mkdir()
    spec = out / "spec.json"
    spec.write_text(
        json.dumps(
            {
                "settings": settings.as_dict(),
                "hyp": hyp.as_dict(),
                "workers": workers,
                "rendezvous": str(out / "rendezvous"),
                "begin": str(begin) if begin else None,
                "epochs": epochs,
                "out": str(out),
            }
        )
    )
    command = [sys.executable, "-m", __spec__.name, str(spec)]
    processes = [subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True) for rank in range(workers)]
    said = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * workers, said
    return [json.loads((out / f"metrics-{rank}.json").read_text()) for rank in range(workers)]


def main() -> None:
    spec, rank = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{spec['rendezvous']}", rank=rank, world_size=spec["workers"]
    )
    loop = EpochLoop(TrainSettings(**spec["settings"]), Hyp(**spec["hyp"]), replicas=Replicas(rank, spec["workers"]))
    if spec["begin"]:
        loop.load(spec["begin"])
    rows = [loop.run_epoch().as_dict() for _ in range(spec["epochs"])]
    out = Path(spec["out"])
    (out / f"metrics-{rank}.json").write_text(json.dumps(rows))
    if rank == 0:
        loop.save(out / "checkpoint")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
