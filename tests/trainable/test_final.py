"""The final training on Ray Train against the epoch loop alone, and after a kill."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import ray
import torch
from pyarrow.fs import LocalFileSystem

from data_prep.errors import WorkFailedError
from tests.trainable.joined_training import train_together
from trainable.checkpoint import read_checkpoint
from trainable.final import FinalTraining, _reason, train_final
from trainable.hyp import Hyp
from trainable.judge import judge
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings
from trainable.stored import whole_checkpoints
from trainable.weights import load_state, save_stripped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def runtime() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def final(settings: TrainSettings) -> TrainSettings:
    return dataclasses.replace(settings, epochs=3, train_split="full", val_split=None)


class Trained(NamedTuple):
    folder: Path
    heard: list[dict[str, Any]]
    metrics: dict[str, Any]


@pytest.fixture(scope="module")
def trained(final: TrainSettings, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    heard: list[dict[str, Any]] = []
    training = FinalTraining(final, Hyp(), "final", str(folder))
    return Trained(folder, heard, train_final(training, folder / "w.pt", heard.append))


def test_one_worker_equals_the_loop_alone(final: TrainSettings, trained: Trained) -> None:
    loop = EpochLoop(final, Hyp())
    rows = [loop.run_epoch().as_dict() for _ in range(3)]

    assert [row["train_box_loss"] for row in trained.heard] == [row["train_box_loss"] for row in rows]
    assert trained.metrics["epoch"] == 3
    ema = loop.parts.ema.ema.state_dict()
    for key, value in load_state(trained.folder / "w.pt").items():
        assert torch.equal(value, ema[key].half().float() if value.is_floating_point() else ema[key]), key


class Lost(NamedTuple):
    """Kills a worker once."""

    heard: list[dict[str, Any]]
    after: int
    killed: list[int]

    def __call__(self, metrics: dict[str, Any]) -> None:
        self.heard.append(metrics)
        if len(self.heard) == self.after:
            victim = workers_of_this_ray()[-1]
            victim.kill()
            self.killed.append(victim.pid)


def workers_of_this_ray() -> list[psutil.Process]:
    """The processes of Ray Train's workers, oldest first."""
    children = psutil.Process().children(recursive=True)
    found = [child for child in children if "RayTrainWorker" in "".join(child.cmdline())]
    return sorted(found, key=lambda child: child.create_time())


def test_two_workers_train_together_and_a_lost_one_is_replaced(final: TrainSettings, tmp_path: Path) -> None:
    """What they learn is what two processes learn that nobody kills."""
    settings = dataclasses.replace(final, epochs=6)
    unbroken = train_together(settings, Hyp(), tmp_path / "two", workers=2, epochs=6)[0]
    training = FinalTraining(settings, Hyp(), "final", str(tmp_path / "ray"), workers=2)
    (tmp_path / "ray").mkdir()
    lost = Lost([], after=2, killed=[])

    metrics = train_final(training, tmp_path / "w.pt", lost)

    assert (metrics["epoch"], metrics["workers"], len(lost.killed)) == (6, 2, 1)
    assert sorted({row["epoch"] for row in lost.heard}) == [1, 2, 3, 4, 5, 6]
    assert len(lost.heard) <= 7  # an epoch that was told and not yet stored may come again
    assert sum("session" in str(folder) for folder in (tmp_path / "ray" / "final").iterdir()) == 1
    for row in lost.heard:
        assert row["train_box_loss"] == unbroken[row["epoch"] - 1]["train_box_loss"], row["epoch"]
    tensors, _ = read_checkpoint(tmp_path / "two" / "checkpoint")
    for key, value in load_state(tmp_path / "w.pt").items():
        kept = tensors["ema"][key]
        assert torch.equal(value, kept.half().float() if kept.is_floating_point() else kept), key


@pytest.mark.exhaustive
def test_started_again_it_goes_on_from_its_last_epoch(final: TrainSettings, tmp_path: Path) -> None:
    """After SIGTERM, which like Ctrl-C is answered with a sentence, and after kill -9."""
    settings = dataclasses.replace(final, epochs=20)
    training = FinalTraining(settings, Hyp(), "final", str(tmp_path))
    code = f"""
import ray, sys
from data_prep.errors import StoppedError
from trainable.final import *
from trainable.hyp import Hyp
from trainable.settings import TrainSettings
ray.init(address="local", num_cpus=2, include_dashboard=False)
try:
    train_final(FinalTraining(TrainSettings(**{settings.as_dict()!r}), Hyp(), "final", {str(tmp_path)!r}), Path("w.pt"))
except StoppedError as error:
    print(error)
"""
    epochs = [epoch_of_newest(tmp_path)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        command = [sys.executable, "-c", code]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        wait_until(lambda: epoch_of_newest(tmp_path) > epochs[-1])
        driver.send_signal(number)
        said = driver.communicate(timeout=180)[0]
        assert ("the final training was stopped" in said) == (number == signal.SIGTERM)
        epochs.append(epoch_of_newest(tmp_path))

    heard: list[dict[str, Any]] = []
    metrics = train_final(training, tmp_path / "w.pt", heard.append)

    assert 0 == epochs[0] < epochs[1] < epochs[2] < 20
    assert metrics["epoch"] == 20
    # The killed driver's worker may have stored another epoch before it ended, too.
    assert heard[0]["epoch"] > epochs[2]
    assert [row["epoch"] for row in heard] == list(range(heard[0]["epoch"], 21))


def test_it_goes_on_from_what_is_stored_whatever_ray_wrote_and_deletes_what_is_older(
    final: TrainSettings, trained: Trained, tmp_path: Path
) -> None:
    """Ray notes a checkpoint up to two seconds after it was stored, and a kill leaves its note cut off."""
    shutil.copytree(trained.folder / "final", tmp_path / "final")
    [newest] = (tmp_path / "final").glob("session_000/checkpoint_*/")
    older = newest.with_name("checkpoint_older")
    shutil.copytree(newest, older)
    (older / "tensors.pt").write_bytes(b"cut off")
    for note in (tmp_path / "final").rglob("*snapshot*.json"):
        note.write_text("{")

    heard: list[dict[str, Any]] = []
    metrics = train_final(FinalTraining(final, Hyp(), "final", str(tmp_path)), tmp_path / "w.pt", heard.append)

    assert heard == []  # nothing was left to train
    assert metrics["epoch"] == 3
    before = load_state(trained.folder / "w.pt")
    assert all(torch.equal(value, before[key]) for key, value in load_state(tmp_path / "w.pt").items())
    assert not older.exists()


def epoch_of_newest(folder: Path) -> int:
    """Finished epochs of the newest whole checkpoint of a final training, 0 where there is none.

    Whole: ``checkpoint.json`` may be copied before the tensors, and a kill come between.
    """
    found = whole_checkpoints(LocalFileSystem(), str(folder / "final"))
    return max((each.epoch for each in found), default=0)


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def test_divergence_is_said(final: TrainSettings, tmp_path: Path) -> None:
    training = FinalTraining(final, Hyp(lr0=1e6, warmup_epochs=0.0), "final", str(tmp_path), max_failures=3)

    with pytest.raises(WorkFailedError, match="the final training failed: diverged in epoch") as caught:
        train_final(training, tmp_path / "w.pt")

    assert caught.value.__cause__ is None  # Ray, which would have tried it four times, did not see it fail
    assert not (tmp_path / "w.pt").exists()


def test_the_reason_is_that_of_the_worker_that_failed_by_itself() -> None:
    lost = "Traceback:\n  in backward\nRuntimeError: [gloo] Connection closed by peer: rank 1"
    ours = "Traceback:\n  in step\ndata_prep.errors.DivergedError: diverged in epoch 2: losses nan"
    assert _reason(f"[Rank 1]\n{ours}\n[Rank 0]\n{lost}\n") == "diverged in epoch 2: losses nan"
    assert _reason(lost) == "[gloo] Connection closed by peer: rank 1"


def test_finished_weights_are_judged_as_the_loop_judged_them(
    settings: TrainSettings, tmp_path: Path, yolov5n_weights: Path
) -> None:
    settings = dataclasses.replace(settings, epochs=4, weights=str(yolov5n_weights))
    loop = EpochLoop(settings, Hyp(mosaic=0.0, warmup_epochs=0.0))
    rows = [loop.run_epoch().as_dict() for _ in range(4)]
    save_stripped(loop.parts.ema.ema, tmp_path / "w.pt")
    found = judge(
        tmp_path / "w.pt", dataclasses.replace(settings, weights=None), Hyp(), data=settings.data, split="val"
    )

    assert found.overall.map50 == pytest.approx(rows[-1]["map50"], rel=0.1, abs=1e-3)  # weights in half precision
    assert found.losses.obj == pytest.approx(rows[-1]["val_obj_loss"], rel=0.01)
