"""The driver is killed, interrupted and started beside itself; nothing is lost and nothing stays RUNNING."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from search.keys import LAST
from search.results import read_run
from search.samplers.keys import is_paused
from search.status import sweep_status
from tests.search.conftest import ROOT, SweepFiles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EPOCHS = 6


class Driver:
    """A driver in a process of its own."""

    def __init__(self, command: str, files: SweepFiles) -> None:
        self._errors = (files.folder / f"{command}.err").open("a+")
        arguments = [sys.executable, "-m", "tests.search.sweep_driver", command, str(files.folder)]
        self.process = subprocess.Popen(
            arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=self._errors, text=True, start_new_session=True
        )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def finish(self, timeout: float = 90) -> tuple[int, dict[str, Any]]:
        out, _ = self.process.communicate(timeout=timeout)
        last = out.strip().splitlines()[-1] if out.strip() else "{}"
        return self.process.returncode, json.loads(last)

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()


@pytest.fixture
def start(files: SweepFiles) -> Iterator[Callable[[str], Driver]]:
    drivers: list[Driver] = []

    def launch(command: str) -> Driver:
        drivers.append(Driver(command, files))
        return drivers[-1]

    yield launch
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.kill()
            driver.process.wait()


def begin(files: SweepFiles) -> None:
    """Write a sweep of 5 trials without early stopping, slow enough to be caught at work."""
    files.switch("sleep", "0.3")
    files.write(trials=5, train={"epochs": EPOCHS, "model": "yolov5n"}, scheduler={"type": "none"})


def trials(files: SweepFiles) -> list[FrozenTrial]:
    return read_run(files.run)[1].get_trials()


def wait_until_at_work(files: SweepFiles, driver: Driver, ended: int = 1) -> None:
    """Wait until so many trials have ended and another one has finished two epochs."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert driver.process.poll() is None, driver.errors()
        if (files.run / "study.journal").exists() and (files.run / "sweep.yaml").exists():
            found = [t for t in trials(files) if t.state != TrialState.WAITING]
            running = [t for t in found if not t.state.is_finished() and t.user_attrs.get(LAST, {}).get("epoch", 0) > 1]
            if running and sum(t.state.is_finished() for t in found) >= ended:
                return
        time.sleep(0.05)
    pytest.fail(f"no trial at work: {driver.errors()}")


def wait_until(driver: Driver, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert driver.process.poll() is None, driver.errors()
        assert time.monotonic() < deadline, driver.errors()
        time.sleep(0.05)


def raylet_of(driver: Driver) -> int:
    """Process id of the raylet that a driver has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition(" (")[2].rpartition(") ")
        except OSError:  # it has ended meanwhile
            continue
        if name == "raylet" and int(rest.split()[1]) == driver.process.pid:
            return int(stat.parent.name)
    pytest.fail("the driver has no raylet")


def check_nothing_was_lost(files: SweepFiles, before: list[FrozenTrial], *, kills: int) -> None:
    """Finished trials are as they were, interrupted ones went on from their last checkpoint, all have ended.

    A kill may cost a trial the epoch in progress, and the one before where its checkpoint was just being written.
    """
    after = trials(files)
    assert [t.state for t in after] == [TrialState.COMPLETE] * 5
    for old, new in zip(before, after, strict=False):
        if old.state.is_finished():
            assert (old.values, old.intermediate_values, old.datetime_complete) == (
                new.values,
                new.intermediate_values,
                new.datetime_complete,
            )
        assert old.params.items() <= new.params.items()
    for trial in after:
        assert sorted(trial.intermediate_values) == list(range(1, EPOCHS + 1))
    trained = Counter((number, epoch) for number, epoch, _ in files.epochs())
    assert set(trained) == {(n, e) for n in range(5) for e in range(1, EPOCHS + 1)}
    for number in range(5):
        assert sum(trained[number, e] - 1 for e in range(1, EPOCHS + 1)) <= 2 * kills


def check_tensorboard_has_no_doubles(run: Path) -> None:
    for number in range(5):
        folder = run / "tensorboard" / f"trial_{number:05d}"
        events = EventAccumulator(str(folder), purge_orphaned_data=False).Reload()
        assert [event.step for event in events.Scalars("metrics/fitness")] == list(range(1, EPOCHS + 1))


def test_kill_9_of_the_driver_and_resume_twice_without_rays_state(
    files: SweepFiles, start: Callable[[str], Driver]
) -> None:
    begin(files)
    driver = start("run")
    wait_until_at_work(files, driver)
    driver.signal(signal.SIGKILL)
    driver.process.wait()
    before = trials(files)
    assert any(t.state == TrialState.RUNNING for t in before)
    second = start("resume")
    wait_until_at_work(files, second, ended=sum(t.state.is_finished() for t in before) + 1)
    second.signal(signal.SIGKILL)
    second.process.wait()
    for pattern in ("experiment_state-*", "search_gen_state-*", "searcher-state-*", "tuner.pkl", "callback-*"):
        for path in (files.run / "ray").rglob(pattern):
            path.unlink()
    assert not [p for p in (files.run / "ray").rglob("*") if p.suffix == ".pkl"]
    code, result = (third := start("resume")).finish()
    assert code == 0, third.errors()
    assert result["states"] == {"COMPLETE": 5}
    check_nothing_was_lost(files, before, kills=2)
    check_tensorboard_has_no_doubles(files.run)


def test_ctrl_c_winds_down_and_a_second_driver_is_kept_out(files: SweepFiles, start: Callable[[str], Driver]) -> None:
    begin(files)
    driver = start("run")
    wait_until_at_work(files, driver)
    files.switch("sleep", "3")  # still at work however long the second driver takes to start
    code, answer = start("resume").finish()
    assert code == 2
    assert "in use" in answer["error"]
    assert driver.process.poll() is None
    files.switch("sleep", "0.3")
    driver.signal(signal.SIGINT)
    code, result = driver.finish(timeout=60)
    assert code == 0, driver.errors()
    assert "Winding down" in driver.errors()
    assert result["interrupted"] is True
    assert result["next"] == f"hypsweep resume {files.run}"
    assert (files.run / "results.csv").exists()
    before = trials(files)
    assert any(t.state == TrialState.RUNNING for t in before)
    code, again = start("run").finish()
    assert code == 2
    assert "unfinished: use `hypsweep resume" in again["error"]
    code, result = (resumed := start("resume")).finish()
    assert code == 0, resumed.errors()
    assert result == {"interrupted": False, "states": {"COMPLETE": 5}, "next": result["next"]}
    check_nothing_was_lost(files, before, kills=1)


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive)])
def test_trials_that_wait_at_a_rung_wait_on_after_a_resume(
    files: SweepFiles, start: Callable[[str], Driver], number: signal.Signals
) -> None:
    files.switch("sleep", "0.3")
    files.write(trials=9, train={"epochs": EPOCHS, "model": "yolov5n"}, scheduler={"grace_period": 2})
    driver = start("run")
    wait_until(
        driver, lambda: (files.run / "drivers" / "study.key").exists() and sum(map(is_paused, trials(files))) >= 2
    )
    driver.signal(number)
    driver.process.wait(timeout=60)
    before = trials(files)
    waiting = {t.number for t in before if is_paused(t)}
    assert len(waiting) >= 2
    assert all(max(before[n].intermediate_values) == 2 for n in waiting)
    assert sweep_status(files.run).paused == len(waiting)
    code, result = (resumed := start("resume")).finish()
    assert code == 0, resumed.errors()
    after = trials(files)
    assert sum(result["states"].values()) == len(after) == 9
    for trial in after:
        last = max(trial.intermediate_values)
        assert (trial.state, last) in {(TrialState.COMPLETE, EPOCHS), (TrialState.PRUNED, 2)}
        assert sorted(trial.intermediate_values) == list(range(1, last + 1))
        trained = Counter(files.epochs_of(trial.number))
        if trial.number in waiting and trial.state == TrialState.PRUNED:
            assert trained == {1: 1, 2: 1}  # it was not touched again
        assert sum(trained.values()) <= last + 2
    ranking = sorted(after, key=lambda t: (-t.intermediate_values[2], t.number))
    assert all(t.state == TrialState.COMPLETE for t in ranking[:3])


def test_sigterm_winds_down_and_a_second_signal_ends_at_once(files: SweepFiles, start: Callable[[str], Driver]) -> None:
    begin(files)
    driver = start("run")
    wait_until_at_work(files, driver)
    files.switch("sleep", "20")  # an epoch that winding down would wait for
    time.sleep(0.5)
    driver.signal(signal.SIGTERM)
    time.sleep(1)
    assert driver.process.poll() is None
    assert "Winding down" in driver.errors()
    started = time.monotonic()
    driver.signal(signal.SIGTERM)
    driver.process.wait(timeout=30)
    assert driver.process.returncode != 0
    assert time.monotonic() - started < 10
    files.switch("sleep", "0")
    code, result = (resumed := start("resume")).finish()
    assert code == 0, resumed.errors()
    assert result["states"] == {"COMPLETE": 5}


@pytest.mark.exhaustive
def test_a_driver_whose_ray_dies_says_so_instead_of_waiting_for_ever(
    files: SweepFiles, start: Callable[[str], Driver]
) -> None:
    begin(files)
    driver = start("run")
    wait_until_at_work(files, driver)
    files.switch("sleep", "60")  # or it could end before it misses anything
    before = trials(files)
    os.kill(raylet_of(driver), signal.SIGKILL)
    code, answer = driver.finish(timeout=90)
    assert code == 1, driver.errors()
    assert "has died" in answer["error"]
    assert f"hypsweep resume {files.run}" in answer["error"]
    files.switch("sleep", "0")
    code, result = (resumed := start("resume")).finish()
    assert code == 0, resumed.errors()
    assert result["states"] == {"COMPLETE": 5}
    check_nothing_was_lost(files, before, kills=2)
