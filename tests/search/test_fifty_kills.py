"""Fifty random kills of one sweep: of its driver, of workers, of its whole Ray; alone, and with a second driver."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from optuna.trial import FrozenTrial, TrialState

from search.drivers import live_drivers
from search.samplers.keys import DRIVER_KEY, is_paused
from tests.search.conftest import SweepFiles
from tests.search.test_kill import Driver, raylet_of, start, trials

pytestmark = [pytest.mark.slow, pytest.mark.exhaustive, pytest.mark.timeout(5400)]
__all__ = ["start"]
KILLS, EPOCHS, TRIALS = 50, 6, 80
NOBODY = "nobody"


def test_nothing_is_lost_but_the_epoch_in_progress(files: SweepFiles, start: Callable[[str], Driver]) -> None:
    rng = random.Random(0)
    files.switch("sleep", "0.5")
    files.write(trials=TRIALS, train={"epochs": EPOCHS, "model": "yolov5n"}, scheduler={"grace_period": 2})
    kills: Counter[str] = Counter()
    hit: Counter[int] = Counter()
    while done(kills) < KILLS and not is_over(files):
        drivers = [start("resume" if (files.run / "sweep.yaml").exists() else "run")]
        if rng.random() < 0.2:
            drivers.append(start("join"))
        before = {t.number: t for t in known(files)}
        if not wait_for_epochs(files, drivers, rng.randint(1, 3)):
            break
        time.sleep(rng.random())
        kills[strike(rng, files, drivers, hit)] += 1
        end_all(drivers)
        check_history(files, before)
    assert done(kills) >= KILLS

    files.switch("sleep", "0")
    code, result = (last := start("resume")).finish(timeout=900)
    assert code == 0, last.errors()
    found = known(files)
    assert {t.number: t.user_attrs for t in found if t.state == TrialState.FAIL} == {}
    assert set(result["states"]) <= {"COMPLETE", "PRUNED"}
    assert [t.number for t in found] == list(range(TRIALS))
    assert all(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in found)
    lost = repeated(files)
    print(f"{dict(kills)}: {sum(lost.values())} epochs trained again in {len(lost)} trials, hit {hit.total()} times")
    assert {number: epochs for number, epochs in lost.items() if epochs > hit[number]} == {}


def done(kills: Counter[str]) -> int:
    """How many kills there were; a driver that ends before its turn comes is none."""
    return kills.total() - kills[NOBODY]


def known(files: SweepFiles) -> list[FrozenTrial]:
    if not (files.run / "study.journal").exists():
        return []
    return [t for t in trials(files) if t.state != TrialState.WAITING]


def at_work(files: SweepFiles) -> list[int]:
    """Trials whose epoch a kill may cost; one that waits at a rung has none in progress."""
    return [t.number for t in known(files) if t.state == TrialState.RUNNING and not is_paused(t)]


def is_over(files: SweepFiles) -> bool:
    found = known(files)
    return len(found) == TRIALS and all(t.state.is_finished() for t in found)


def wait_for_epochs(files: SweepFiles, drivers: list[Driver], more: int) -> bool:
    """Wait until so many epochs more have begun; False where the sweep ended by itself."""
    wanted = len(files.epochs()) + more
    deadline = time.monotonic() + 300
    while len(files.epochs()) < wanted:
        assert time.monotonic() < deadline, [driver.errors() for driver in drivers]
        if all(driver.process.poll() is not None for driver in drivers):
            assert is_over(files), [driver.errors() for driver in drivers]
            return False
        time.sleep(0.05)
    return True


def strike(rng: random.Random, files: SweepFiles, drivers: list[Driver], hit: Counter[int]) -> str:
    """Kill something; every trial that is at work may lose its epoch."""
    hit.update(at_work(files))
    victim = rng.choice(drivers)
    kind = rng.choice(["driver", "driver", "worker", "raylet"])
    if victim.process.poll() is not None:
        return NOBODY
    if kind == "worker":
        kill(files.epochs()[-1][2])
        wait_for_epochs(files, drivers, 1)
        hit.update(at_work(files))
    elif kind == "raylet":
        kill(raylet_of(victim))
    kill(victim.process.pid)
    return kind


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_all(drivers: list[Driver]) -> None:
    for driver in drivers:
        kill(driver.process.pid)
        driver.process.wait()


def check_history(files: SweepFiles, before: dict[int, FrozenTrial]) -> None:
    """No driver is left, and what had ended is as it was; nothing that was reported is gone."""
    assert live_drivers(files.run) == frozenset()
    after = {t.number: t for t in known(files)}
    assert before.keys() <= after.keys()
    for number, old in before.items():
        new = after[number]
        assert old.params == new.params
        assert old.intermediate_values.items() <= new.intermediate_values.items()
        if old.state.is_finished():
            assert (old.state, old.values) == (new.state, new.values)
        assert DRIVER_KEY in new.user_attrs


def repeated(files: SweepFiles) -> Counter[int]:
    """How many epochs of each trial were begun more than once."""
    begun = Counter((number, epoch) for number, epoch, _ in files.epochs())
    return Counter({n: c for n in {n for n, _ in begun} if (c := sum(k - 1 for (m, _), k in begun.items() if m == n))})
