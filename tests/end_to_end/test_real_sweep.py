"""The whole flow with the real trainable: yolov5n on drawn discs and squares, a fraction of a second an epoch."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import ray
import torch
import yaml
from optuna.trial import FrozenTrial, TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import search.demo.run as demo
from data_prep.errors import DataMissingError
from search.config import load_sweep_config
from search.demo import run_demo
from search.keys import LAST
from search.progress import Progress
from search.promote import PromoteOptions, promote
from search.results import read_run
from search.sweep import Options, SweepResult, resume_sweep, run_sweep
from tests.end_to_end.logged_detection import VARIABLE, LoggedDetection
from tests.search.conftest import ROOT
from tests.shapes import draw_shapes
from trainable.hyp import read_hyp
from trainable.weights import load_state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HYPSWEEP = Path(sys.executable).with_name("hypsweep")
TRAIN = {
    "model": "yolov5n",
    "image_size": 64,
    "batch_size": 8,
    "nominal_batch_size": 8,
    "min_warmup_iterations": 2,
    "device": "cpu",
}
EPOCHS, TRIALS = 8, 3  # of the sweep that is killed
Log = Callable[[], list[tuple[int, int, int]]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """One Ray with two CPUs for the module; gives (trial, epoch, pid) of the epochs that were trained since asked."""
    path = tmp_path_factory.mktemp("log") / "epochs.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
        patch.setenv(VARIABLE, str(path))
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)

        def take() -> list[tuple[int, int, int]]:
            lines = path.read_text().splitlines() if path.exists() else []
            path.unlink(missing_ok=True)
            return [(int(a), int(b), int(c)) for a, b, c in (line.split() for line in lines)]

        yield take
        ray.shutdown()


def write_sweep(folder: Path, data: Path, parameters: dict[str, Any], **changes: Any) -> Path:
    (folder / "space.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"name": "little", "data": str(data), "space": "space.yaml", **changes}))
    return path


def trials(run: Path) -> list[FrozenTrial]:
    return [t for t in read_run(run)[1].get_trials() if t.state != TrialState.WAITING]


# --- a sweep from beginning to end -----------------------------------------------------------------------------------


class Swept(NamedTuple):
    result: SweepResult
    epochs: list[tuple[int, int, int]]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, shapes: Path, log: Log) -> Swept:
    """Six trials under ASHA in a space where some diverge."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "hyp.yaml").write_text("warmup_epochs: 0.0\n")
    parameters = {
        "lr0": {"choices": [0.01, 1.0e6], "default": 0.01},
        "momentum": {"low": 0.6, "high": 0.98, "default": 0.937},
    }
    config = write_sweep(
        folder,
        shapes,
        parameters,
        hyp="hyp.yaml",
        trials=6,
        seed=1,
        sampler={"members": ["ga", "tpe"]},
        scheduler={"grace_period": 1, "reduction_factor": 2},
        train={**TRAIN, "epochs": 4},
    )
    result = run_sweep(load_sweep_config(config), folder / "run", Options(trainable=LoggedDetection))
    return Swept(result, log())


def test_every_trial_is_told_what_it_was(swept: Swept) -> None:
    found = trials(swept.result.run_dir)
    assert [t.number for t in found] == list(range(6))
    assert Counter(t.state.name for t in found) == swept.result.states
    assert found[0].user_attrs["sampler"] == "default"
    assert {t.user_attrs["sampler"] for t in found[1:]} == {"ga", "tpe"}
    for trial in found:
        diverged = trial.params["lr0"] == 1e6
        assert (trial.state == TrialState.FAIL) is diverged
        if not diverged:
            last = max(trial.intermediate_values)
            assert (trial.state == TrialState.COMPLETE) is (last == 4)
            assert trial.value == trial.intermediate_values[last]
            assert sorted(trial.intermediate_values) == list(range(1, last + 1))
    rung = sorted((t for t in found if t.state != TrialState.FAIL), key=lambda t: (-t.intermediate_values[1], t.number))
    assert all(2 in t.intermediate_values for t in rung[: len(rung) // 2])  # the best half was promoted
    assert any(t.state == TrialState.COMPLETE for t in found)


def test_a_diverged_trial_fails_with_its_reason_and_the_sweep_goes_on(swept: Swept) -> None:
    found = trials(swept.result.run_dir)
    failed = [t for t in found if t.state == TrialState.FAIL]
    assert failed
    for trial in failed:
        assert re.match(r"diverged in epoch \d: losses .*lr0 1e\+06", trial.user_attrs["failure"])
        assert trial.values is None
        # No epoch was trained twice: a divergence is no crash.
        assert max(Counter(e for n, e, _ in swept.epochs if n == trial.number).values()) == 1
    assert failed[0].number < max(t.number for t in found if t.state != TrialState.FAIL)


def test_workers_are_reused(swept: Swept) -> None:
    served = {(pid, trial) for trial, _, pid in swept.epochs}
    assert {trial for _, trial in served} == set(range(6))
    assert len({pid for pid, _ in served}) <= 2  # also those that a promotion brought back


def test_what_a_sweep_leaves(swept: Swept) -> None:
    run = swept.result.run_dir
    table = pd.read_csv(run / "results.csv").set_index("number")
    assert list(table.index) == list(range(6))
    best = swept.result.best
    assert best is not None
    assert best.value == table[table.state == "COMPLETE"].value.max() == table.value[best.trial.number]
    assert {"metrics_map50", "metrics_map75", "metrics_val_box_loss", "metrics_per_class/disc/map50"} < {*table}
    hyp = read_hyp(run / "best_hyp.yaml")
    assert (hyp.lr0, hyp.momentum) == (0.01, best.trial.params["momentum"])
    assert hyp.warmup_epochs == 0.0
    # What stock YOLOv5 reads: a flat mapping of numbers.
    assert all(isinstance(value, int | float) for value in yaml.safe_load((run / "best_hyp.yaml").read_text()).values())
    assert yaml.safe_load((run / "best_train.yaml").read_text())["image_size"] == 64


# --- a data set that vanishes ---------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_data_set_that_vanishes_stops_the_sweep_at_once(tmp_path: Path, log: Log) -> None:
    """Trial 1 needs the pictures in another size, and finds none; when they are back, nothing is missing."""
    data = draw_shapes(tmp_path / "data", train=24, val=12, seed=7)
    images, stolen = data.parent / "images", data.parent / "stolen"
    config = write_sweep(
        tmp_path,
        data,
        {"image_size": {"choices": [64, 96], "default": 64}},
        trials=3,
        seed=1,
        max_concurrent=1,
        sampler={"members": ["random"]},
        scheduler={"type": "none"},
        train={**TRAIN, "epochs": 2},
    )

    def steal(progress: Progress) -> None:
        if progress.ended == 1 and images.exists():
            images.rename(stolen)

    with pytest.raises(DataMissingError, match=rf"images/train.*go on with `hypsweep resume {tmp_path / 'run'}`"):
        run_sweep(load_sweep_config(config), tmp_path / "run", Options(trainable=LoggedDetection, on_progress=steal))
    first, second = trials(tmp_path / "run")
    assert second.params["image_size"] == 96
    assert (first.state, second.state) == (TrialState.COMPLETE, TrialState.RUNNING)

    stolen.rename(images)
    result = resume_sweep(tmp_path / "run", options=Options(trainable=LoggedDetection))
    assert result.states == {"COMPLETE": 3}
    assert result.usage is not None
    assert result.usage.trials == 1  # the newest checkpoint of the best


# --- promotion -------------------------------------------------------------------------------------------------------


def test_a_winner_is_promoted_and_promoted_again(swept: Swept) -> None:
    run, heard = swept.result.run_dir, []
    first = promote(run, PromoteOptions(confirm=None, epochs=2, on_epoch=heard.append))
    assert [metrics["epoch"] for metrics in heard] == [1, 2]
    assert swept.result.best is not None
    assert first.trial == swept.result.best.trial.number
    state = load_state(first.folder / "weights.pt")
    assert all(bool(torch.isfinite(value).all()) for value in state.values())
    assert read_hyp(first.folder / "hyp.yaml") == read_hyp(run / "best_hyp.yaml")
    settings = yaml.safe_load((first.folder / "train.yaml").read_text())
    assert (settings["train_split"], settings["val_split"], settings["epochs"]) == ("full", None, 2)
    metrics = json.loads((first.folder / "metrics.json").read_text())
    assert metrics == first.metrics
    assert metrics["test"] is None  # it has seen all pictures
    assert metrics["megabytes"] == (first.folder / "weights.pt").stat().st_size / 1e6
    assert metrics["onnx"]["check"]["boxes"] < 0.01
    card = (first.folder / "model_card.md").read_text()
    assert f"momentum: {read_hyp(first.folder / 'hyp.yaml').momentum}" in card
    assert f"hypsweep promote runs/again --trial {first.trial} --epochs 2\n" in card

    second = promote(run, PromoteOptions(confirm=None, epochs=1, onnx=False))
    assert json.loads((second.folder / "metrics.json").read_text())["epochs"] == 1
    again = load_state(second.folder / "weights.pt")
    assert any(not torch.equal(value, again[key]) for key, value in state.items())
    left = {"weights.pt", "hyp.yaml", "train.yaml", "metrics.json", "model_card.md"}
    assert {p.name for p in second.folder.iterdir()} == left
    assert not [p.name for p in run.iterdir() if p.name.startswith(".")]


# --- kill and interrupt ----------------------------------------------------------------------------------------------


class Driver:
    """``hypsweep`` in a process of its own."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._out = (folder / f"{arguments[0]}.out").open("w+")
        self.process = subprocess.Popen(
            [str(HYPSWEEP), *map(str, arguments)], stdout=self._out, stderr=subprocess.STDOUT, start_new_session=True
        )

    def wait(self, timeout: float = 120) -> int:
        return self.process.wait(timeout=timeout)

    def text(self) -> str:
        self._out.seek(0)
        return self._out.read()


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory, shapes: Path) -> Iterator[Callable[[str], tuple[Driver, Path]]]:
    """Starts a sweep without early stopping; it is at work when given."""
    drivers: list[Driver] = []

    def start(name: str) -> tuple[Driver, Path]:
        folder = tmp_path_factory.mktemp(name)
        parameters = {"momentum": {"low": 0.6, "high": 0.98, "default": 0.937}}
        config = write_sweep(
            folder, shapes, parameters, trials=TRIALS, scheduler={"type": "none"}, train={**TRAIN, "epochs": EPOCHS}
        )
        drivers.append(Driver(folder, "sweep", config, "--out", folder / "run"))
        wait_until_at_work(folder / "run", drivers[-1])
        return drivers[-1], folder / "run"

    yield start
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.kill()
            driver.wait()


def wait_until_at_work(run: Path, driver: Driver) -> None:
    """Wait until a trial has ended and another one is amid its epochs."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        assert driver.process.poll() is None, driver.text()
        if (run / "study.journal").exists() and (run / "sweep.yaml").exists():
            found = trials(run)
            amid = [t for t in found if t.state == TrialState.RUNNING and 2 <= epoch_of(t) <= EPOCHS - 3]
            if amid and any(t.state.is_finished() for t in found):
                return
        time.sleep(0.05)
    pytest.fail(f"no trial at work: {driver.text()}")


def epoch_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get(LAST, {}).get("epoch", 0))


@pytest.fixture(scope="module")
def killed(begin: Callable[[str], tuple[Driver, Path]]) -> Path:
    """The folder of a sweep whose driver was killed at work."""
    driver, run = begin("killed")
    driver.process.send_signal(signal.SIGKILL)
    driver.wait()
    assert any(t.state == TrialState.RUNNING for t in trials(run))
    return run


@pytest.fixture(params=["with Ray's state", "without Ray's state"])
def copy(killed: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the killed sweep's folder (it may move), of Ray's own files in it all or only the checkpoints."""
    run = shutil.copytree(killed, tmp_path / "run")
    state = [p for p in (run / "ray").glob("session_*/*") if p.is_file()]
    assert any(p.suffix in (".json", ".pkl") for p in state)
    if request.param == "without Ray's state":
        for path in state:
            path.unlink()
    return run


def assert_whole(run: Path, before: list[FrozenTrial]) -> None:
    """All trials have run to their end, and those that had ended before are as they were."""
    after = trials(run)
    assert [t.state for t in after] == [TrialState.COMPLETE] * TRIALS
    for old, new in zip(before, after, strict=False):
        assert old.params == new.params
        if old.state.is_finished():
            assert (old.values, old.datetime_complete) == (new.values, new.datetime_complete)
        kept = {e: v for e, v in new.intermediate_values.items() if e in old.intermediate_values}
        assert kept == pytest.approx(old.intermediate_values)
    for trial in after:
        assert sorted(trial.intermediate_values) == list(range(1, EPOCHS + 1))
        events = EventAccumulator(str(run / "tensorboard" / f"trial_{trial.number:05d}"), purge_orphaned_data=False)
        assert [e.step for e in events.Reload().Scalars("metrics/fitness")] == list(range(1, EPOCHS + 1))


def test_a_killed_sweep_goes_on_from_its_last_checkpoints(copy: Path, log: Log) -> None:
    before = trials(copy)
    log()
    result = resume_sweep(copy, options=Options(trainable=LoggedDetection))
    assert result.states == {"COMPLETE": TRIALS}
    assert_whole(copy, before)
    trained: dict[int, list[int]] = {}
    for number, epoch, _ in log():
        trained.setdefault(number, []).append(epoch)
    for trial in before:
        if trial.state.is_finished():
            assert trial.number not in trained
        else:
            reported = epoch_of(trial)
            # The checkpoint of the last reported epoch may have been cut off by the kill; the one before is whole.
            assert trained[trial.number][0] in {max(reported, 1), reported + 1}
            assert trained[trial.number] == list(range(trained[trial.number][0], EPOCHS + 1))


@pytest.mark.exhaustive
def test_ctrl_c_winds_down_and_says_how_to_go_on(begin: Callable[[str], tuple[Driver, Path]]) -> None:
    driver, run = begin("interrupted")
    driver.process.send_signal(signal.SIGINT)
    assert driver.wait() == 130, driver.text()
    text = driver.text()
    assert "Traceback" not in text
    assert "Winding down to the last checkpoints" in text
    assert f"go on with: hypsweep resume {run}\n" in text
    before = trials(run)
    assert {t.state for t in before} == {TrialState.COMPLETE, TrialState.RUNNING}

    resumed = Driver(run.parent, "resume", run)
    assert resumed.wait() == 0, resumed.text()
    for trial in before:
        onward = f"trial {trial.number} goes on from its checkpoint" in resumed.text()
        assert onward is (trial.state == TrialState.RUNNING and epoch_of(trial) > 0)
    assert f"{TRIALS} COMPLETE\n" in resumed.text()
    assert_whole(run, before)


# --- the demo --------------------------------------------------------------------------------------------------------


def test_the_demo_runs_twice(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small herd and a short sweep; its configurations may be changed by the user, so they are here."""
    for name, value in {"TRAIN_IMAGES": 40, "TEST_IMAGES": 8}.items():
        assert hasattr(demo, name)
        monkeypatch.setattr(demo, name, value)
    source, out = Path(demo.__file__).parent, tmp_path / "demo"
    out.mkdir()
    for name in demo.CONFIGS:
        shutil.copy(source / name, out / name)
    config = yaml.safe_load((out / "sweep.yaml").read_text())
    config["trials"], config["scheduler"] = 3, {"grace_period": 1}
    config["train"] |= {"epochs": 2, "image_size": 64}
    (out / "sweep.yaml").write_text(yaml.safe_dump(config))
    flow = yaml.safe_load((out / "flow.yaml").read_text())
    flow["final"] = {"epochs": 2}
    (out / "flow.yaml").write_text(yaml.safe_dump(flow))

    first = run_demo(out)
    assert first.ran == ("prepare", "sweep", "confirm", "final", "score", "errors", "report")
    assert sum(first.results["sweep"]["states"].values()) == 3
    assert first.results["confirm"]["seeds"] == 2
    assert first.results["final"]["epochs"] == 2
    assert 0 <= first.results["final"]["test"]["map50"] <= 1
    assert 0 <= first.results["score"]["map"] <= 1
    assert read_hyp(out / "sweep" / "promoted" / "hyp.yaml")
    data = yaml.safe_load((out / "data" / "data.yaml").read_text())
    assert data["names"] == ["pig", "cow"]
    full, test = (len(list((out / "data" / "images" / split).iterdir())) for split in ("full", "test"))
    assert (full, test) == (40, 8)

    second = run_demo(out)
    assert second.ran == ()
    assert second.results == first.results
