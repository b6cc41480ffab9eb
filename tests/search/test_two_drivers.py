"""Two drivers, each with a Ray of its own, on one study."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from optuna.trial import FrozenTrial, TrialState

from search.drivers import live_drivers
from tests.search.conftest import SweepFiles
from tests.search.test_kill import EPOCHS, Driver, start, trials

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
__all__ = ["start"]


def wait_until(condition: Callable[[], bool], *drivers: Driver, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, [driver.errors() for driver in drivers]
        time.sleep(0.05)


def at_work(trial: FrozenTrial, driver: int) -> bool:
    return trial.state == TrialState.RUNNING and trial.user_attrs.get("driver") == driver


@pytest.mark.parametrize(
    "storage", ["journal", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("sqlite", "postgresql"))]
)
def test_they_share_the_trials_out_and_one_of_them_is_killed(
    storage: str, files: SweepFiles, start: Callable[[str], Driver], request: pytest.FixtureRequest
) -> None:
    files.switch("sleep", "20")  # however long the second one takes to start, there is work left for it
    url = {"journal": None, "sqlite": f"sqlite:///{files.folder / 'study.db'}"}.get(storage)
    if storage == "postgresql":
        url = request.getfixturevalue("postgresql")("two_drivers")
    train = {"epochs": EPOCHS, "model": "yolov5n"}
    files.write(trials=14, train=train, scheduler={"type": "asha", "grace_period": 2}, study_storage=url)
    first = start("run")
    wait_until(lambda: len(files.epochs()) > 0, first)
    second = start("join")
    wait_until(lambda: {t.user_attrs.get("driver") for t in trials(files)} >= {0, 1}, first, second)
    # Still slow: while the first one is at its first epoch, a quick second one would do all that is left.
    wait_until(lambda: any(at_work(t, 0) and t.intermediate_values for t in trials(files)), first, second)
    files.switch("sleep", "0.3")

    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    assert live_drivers(files.run) == {1}, (second.process.poll(), second.errors())
    left = [t for t in trials(files) if at_work(t, 0)]
    code, result = second.finish(timeout=300)
    assert code == 0, second.errors()
    still = {t.number: t for t in trials(files) if t.state == TrialState.RUNNING}
    assert {t.number for t in left} == set(still)  # a live driver's trials are nobody else's
    assert all(still[t.number].intermediate_values == t.intermediate_values for t in left)

    code, result = (third := start("resume")).finish(timeout=300)
    assert code == 0, third.errors()
    found = trials(files)
    assert len(found) == 14
    assert set(result["states"]) <= {"COMPLETE", "PRUNED"}
    assert len({tuple(sorted(t.params.items())) for t in found}) == 14  # no two drew the same
    trained = Counter((number, epoch) for number, epoch, _ in files.epochs())
    repeated = {key: count for key, count in trained.items() if count > 1}
    assert {number for number, _ in repeated} <= {t.number for t in left}  # only what was cut off
    assert max(Counter(number for number, _ in repeated).values(), default=0) <= 2
