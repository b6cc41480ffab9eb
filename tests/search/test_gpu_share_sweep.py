"""Trials that share a GPU under a real Ray; it only counts the GPU, so that none is needed."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console

from search.status import sweep_status
from search.sweep import Options, run_sweep
from tests.search.conftest import ROOT, SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
GIB = 2**30
SHARE = 4
WAIT_S = 90


class Neighbour(QuadraticTrainable):
    """Notes in its first epoch how many trials are at work, once so many as share a GPU have come."""

    def step(self) -> dict[str, Any]:
        mark = self._folder / f"at_work_{self._number}"
        if self._epoch == 0:
            mark.touch()
            self._wait()
        result = super().step()
        if result["done"]:
            mark.unlink()
        return result

    def _wait(self) -> None:
        reached, deadline = self._folder / "reached", time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            at_work = len(list(self._folder.glob("at_work_*")))
            (self._folder / f"seen_{at_work}").touch()
            if at_work >= SHARE:
                reached.touch()
            if reached.exists():
                return
            time.sleep(0.02)


@pytest.fixture(scope="module")
def gpu_ray() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
        ray.init(
            address="local",
            num_cpus=2 * SHARE,
            num_gpus=1,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100 * 2**20,
        )
        yield
        ray.shutdown()


@pytest.mark.usefixtures("gpu_ray")
def test_a_quarter_of_a_gpu_each_lets_four_trials_run_at_a_time(files: SweepFiles) -> None:
    files.switch("gpu", f"{3 * GIB} {8 * GIB}")
    text = io.StringIO()
    config = files.config(
        trials=6,
        train={"epochs": 2, "model": "yolov5n"},
        scheduler={"type": "none"},
        resources={"cpus": 1, "gpus": 1 / SHARE},
    )
    result = run_sweep(config, files.run, Options(trainable=Neighbour, console=Console(file=text, width=400)))
    assert result.states == {"COMPLETE": 6}
    assert max(int(path.name.partition("_")[2]) for path in Path(files.folder).glob("seen_*")) == SHARE
    lines = text.getvalue().splitlines()
    fits = [line for line in lines if "peaks at 3.0 of 8.0 GiB GPU memory: 2 trials fit" in line]
    greedy = [line for line in lines if "resources.gpus is 0.25, so that 4 trials share a GPU of 8.0 GiB" in line]
    assert (len(fits), len(greedy)) == (1, 1)
    status = sweep_status(files.run).as_dict()
    assert {trial["gpu_memory_peak"] for trial in status["trials"]} == {3 * GIB}
