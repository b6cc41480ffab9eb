"""Sweeps under a real Ray whose trials pause at rungs, held to the paper's algorithm."""

from __future__ import annotations

import io
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from search.results import read_run
from search.samplers.keys import PAUSED_KEY
from search.status import sweep_status
from search.study import LAST
from search.sweep import Options, SweepResult, resume_sweep, run_sweep
from tests.search.conftest import SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable
from tests.search.schedulers.reference import Asha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.usefixtures("local_ray")]
LEVELS, EPOCHS, ETA = (1, 3), 9, 3
ONE_SLOT = {"resources": {"cpus": 2}}


def run(files: SweepFiles, console: Console | None = None, **changes: Any) -> SweepResult:
    return run_sweep(files.config(**changes), files.run, Options(trainable=QuadraticTrainable, console=console))


def trials(files: SweepFiles) -> list[FrozenTrial]:
    return read_run(files.run)[1].get_trials()


def fitness(trial: FrozenTrial, epoch: int) -> float:
    return 1.0 - (trial.params["momentum"] - 0.8) ** 2 - 0.5**epoch


def jobs_of_the_paper(found: list[FrozenTrial]) -> list[tuple[int, int]]:
    """What one worker trains, epoch by epoch, until all trials are drawn and none can be promoted."""
    paper, trained = Asha(LEVELS, ETA), []
    targets = (*LEVELS, EPOCHS)
    while (job := paper.get_job(may_draw=paper.drawn < len(found))) is not None:
        theta, k = job
        start = 0 if k == 0 else targets[k - 1]
        trained += [(theta, epoch) for epoch in range(start + 1, targets[k] + 1)]
        paper.completed(theta, k, -fitness(found[theta], targets[k]))
    return trained


def test_one_slot_trains_what_the_paper_says_in_its_order_and_the_rest_is_pruned(files: SweepFiles) -> None:
    text = io.StringIO()
    result = run(files, Console(file=text, width=200), trials=20, **ONE_SLOT)
    found = trials(files)
    assert [(number, epoch) for number, epoch, _ in files.epochs()] == jobs_of_the_paper(found)
    assert len({pid for _, _, pid in files.epochs()}) == 1  # one worker for all, also at the end
    assert set(result.states) == {"COMPLETE", "PRUNED"}
    for trial in found:
        last = max(trial.intermediate_values)
        assert sorted(trial.intermediate_values) == list(range(1, last + 1))
        assert trial.value == trial.intermediate_values[last] == pytest.approx(fitness(trial, last))
        assert trial.state == (TrialState.COMPLETE if last == EPOCHS else TrialState.PRUNED)
        assert trial.user_attrs[LAST]["epochs_run"] == last  # no epoch twice
    assert "waits after 1 of 9 epochs" in text.getvalue()
    assert "more paused" in text.getvalue()
    assert sweep_status(files.run).paused == 0
