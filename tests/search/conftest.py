"""What the tests of the sweep share: a tiny sweep on disk, a study of it, and one local Ray."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import ray
import yaml

from search.cli import main
from search.config import SweepConfig, load_sweep_config
from search.opening import open_study
from search.samplers import build_sampler
from search.space import load_space
from search.study import SweepStudy
from search.trial_plan import TrialPlan
from tests.postgresql import binaries, server
from tests.search.command_line import Cli, Outcome

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[str], str]]:
    """Makes a new database on a server of the tests' own, and gives its URL."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: its tests need initdb, such as from Debian's package `postgresql`")
    with server(programs) as database:
        yield database


class SweepFiles:
    """A sweep's input on disk: data.yaml, space.yaml and sweep.yaml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data.write_text("train: train\nval: val\nnames: [cow, pig]\n")
        ranges = {"lr0": {"low": 1e-4, "high": 1.0, "log": True}, "momentum": {"low": 0.1, "high": 0.98}}
        (folder / "space.yaml").write_text(yaml.safe_dump({"parameters": ranges}))

    @property
    def data(self) -> Path:
        return self.folder / "data.yaml"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def write(self, **changes: Any) -> Path:
        values: dict[str, Any] = {
            "name": "tiny",
            "data": "data.yaml",
            "space": "space.yaml",
            "train": {"epochs": 9, "model": "yolov5n"},
            # As the paper has it: counts are known then.
            "scheduler": {"grace_period": 1, "reduction_factor": 3, "finish_start": False},
            "sampler": {"members": {"random": {}}},
            **({} if "stages" in changes else {"trials": 6}),
        }
        path = self.folder / "sweep.yaml"
        path.write_text(yaml.safe_dump(values | changes))
        return path

    def config(self, **changes: Any) -> SweepConfig:
        return load_sweep_config(self.write(**changes))

    def switch(self, name: str, value: str = "") -> None:
        """Steer tests.search.quadratic_trainable."""
        (self.folder / name).write_text(value)

    def epochs(self) -> list[tuple[int, int, int]]:
        """(trial, epoch, pid) of every epoch that was trained, in order."""
        log = self.folder / "epochs.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(int(a), int(b), int(c)) for a, b, c in (line.split() for line in lines)]

    def epochs_of(self, number: int) -> list[int]:
        """The epochs of a trial that were trained, in order."""
        return [epoch for trial, epoch, _ in self.epochs() if trial == number]


@pytest.fixture
def files(tmp_path: Path) -> SweepFiles:
    return SweepFiles(tmp_path)


def open_tiny(files: SweepFiles, *, new: bool = True, **changes: Any) -> tuple[SweepStudy, TrialPlan]:
    """A study in ``files.run`` and the plan that goes with it."""
    config = files.config(**changes)
    files.run.mkdir(exist_ok=True)
    space = load_space(config.space)
    study = open_study(config, files.run, space, build_sampler(config.sampler, space, config.seed), new=new)
    plan = TrialPlan(
        space=space,
        hyp=config.base_hyp().as_dict(),
        train=config.settings().as_dict(),
        epochs=config.epochs,
        metric=config.metric,
        mode=config.mode,
        trials=config.trials,
        max_concurrent=config.max_concurrent,
    )
    return study, plan


@pytest.fixture(autouse=True)
def _quiet_optuna() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """One Ray with two CPUs for a module; its workers find the tests' trainable."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), before)))
    try:
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20
        )
        yield
    finally:
        ray.shutdown()
        if before is None:
            os.environ.pop("PYTHONPATH")
        else:
            os.environ["PYTHONPATH"] = before


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line in this process, at work in ``tmp_path``."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail that starts Ray."""

    def refuse(address: str | None) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("search.runtime.ray_runtime", refuse)
