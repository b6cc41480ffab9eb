"""A training that was killed and gone on with in another process equals one without a break, bit by bit."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from tests.trainable.resumed_training import train
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

LIVELY = Hyp(mixup=0.5, degrees=5.0, fliplr=0.5, flipud=0.5, mosaic=0.8)
EPOCHS = 4


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Fresh processes that share the imports of a server, which has trained nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.trainable.resumed_training"])
    return context


def start(processes: ForkServerContext, settings: TrainSettings, folder: Path) -> tuple[ForkServerProcess, Connection]:
    hears, says = processes.Pipe(duplex=False)
    process = processes.Process(target=train, args=(settings, LIVELY, folder, says))
    process.start()
    says.close()
    return process, hears


def run(processes: ForkServerContext, settings: TrainSettings, folder: Path) -> tuple[list[int], dict[str, str]]:
    """Train to the end; the epochs that it said, and the fingerprints."""
    process, hears = start(processes, settings, folder)
    epochs = []
    while isinstance(said := hears.recv(), int):
        epochs.append(said)
    process.join()
    return epochs, said


def kill_within_an_epoch(
    processes: ForkServerContext, settings: TrainSettings, folder: Path, generator: random.Random
) -> int:
    """Train, and kill -9 at a random moment of a random epoch; the finished epochs in the checkpoint."""
    process, hears = start(processes, settings, folder)
    after = generator.randrange(1, EPOCHS - 1)
    seconds, before = 0.0, time.monotonic()
    while hears.recv() < after:
        before = time.monotonic()
    seconds = time.monotonic() - before
    time.sleep(generator.uniform(0.05, 0.95) * seconds)
    process.kill()
    process.join()
    assert process.exitcode == -9
    return int(json.loads((folder / "checkpoint.json").read_text())["epoch"])


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", ["exact", "fast"])
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_a_killed_training_goes_on_as_if_nothing_had_been(
    processes: ForkServerContext, settings: TrainSettings, tmp_path: Path, path: str, optimizer: str
) -> None:
    changes = {"path": path, "optimizer": optimizer, "epochs": EPOCHS, "cache_dir": str(tmp_path / "bank")}
    settings = dataclasses.replace(settings, **changes)
    generator = random.Random(f"{path} {optimizer}")

    _, expected = run(processes, settings, tmp_path / "whole")
    killed = kill_within_an_epoch(processes, settings, tmp_path / "killed", generator)
    epochs, found = run(processes, settings, tmp_path / "killed")

    assert 0 < killed < EPOCHS
    assert epochs == list(range(killed, EPOCHS + 1))
    assert found == expected
