"""Sweeps under a real Ray whose trials pause at rungs, held to the paper's algorithm."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from search.keys import LAST
from search.results import read_run
from search.status import sweep_status
from search.sweep import Options, SweepResult, resume_sweep, run_sweep
from tests.search.conftest import SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable
from tests.search.schedulers.reference import Asha

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("local_ray")]
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


def test_one_at_a_time_on_two_slots_is_no_deadlock_and_keeps_the_order(files: SweepFiles) -> None:
    run(files, trials=9, max_concurrent=1)
    found = trials(files)
    assert [(number, epoch) for number, epoch, _ in files.epochs()] == jobs_of_the_paper(found)
    assert {t.state for t in found} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_two_slots_with_divergence_crashes_and_lost_checkpoints_then_more_trials(files: SweepFiles) -> None:
    """Everything at once: the rungs' promises hold, and an extended sweep compares with all that was."""
    files.switch("diverge_3")
    files.switch("kill_4", "1")
    files.switch("crash_5", "always")
    result = run(files, trials=12, max_failures=1, max_paused_checkpoints=1, scheduler={"grace_period": 3})
    assert sum(result.states.values()) == 12
    first = trials(files)
    fails = {t.number for t in first if t.state == TrialState.FAIL}
    assert fails == {3, 5}
    assert Counter(files.epochs_of(3)) == {1: 1, 2: 1}
    assert 3 not in first[3].intermediate_values
    at_rung = sorted((t for t in first if 3 in t.intermediate_values), key=lambda t: -t.intermediate_values[3])
    assert len(at_rung) == 10
    went_on = {t.number for t in first if t.state == TrialState.COMPLETE}
    assert {t.number for t in at_rung[:3]} <= went_on
    for trial in first:  # nobody trained beyond a rung without need; a promoted one may have started again
        trained = Counter(files.epochs_of(trial.number))
        assert trial.user_attrs[LAST]["epochs_run"] <= sum(trained.values())
        if trial.state == TrialState.PRUNED and trial.number != 4:
            assert trained == {1: 1, 2: 1, 3: 1}

    before = {t.number: files.epochs_of(t.number) for t in first}
    extended = resume_sweep(files.run, trials=6, options=Options(trainable=QuadraticTrainable))
    assert sum(extended.states.values()) == 18
    found = trials(files)
    assert {number: files.epochs_of(number) for number in before} == before  # history stays history
    assert [(t.state, t.values, t.datetime_complete) for t in found[:12]] == [
        (t.state, t.values, t.datetime_complete) for t in first
    ]
    ranking = sorted((t for t in found if 3 in t.intermediate_values), key=lambda t: -t.intermediate_values[3])
    best = {t.number for t in ranking[: len(ranking) // ETA] if t.number >= 12}
    assert best <= {t.number for t in found[12:] if t.state == TrialState.COMPLETE}


def test_the_default_trains_trial_0_to_its_end_however_bad_and_one_of_its_own(files: SweepFiles) -> None:
    (files.folder / "hyp.yaml").write_text("momentum: 0.1\n")  # the worst place there is
    result = run(files, trials=3, hyp="hyp.yaml", scheduler={"grace_period": 3})
    found = trials(files)
    assert found[0].params["momentum"] == 0.1
    assert found[0].state == TrialState.COMPLETE
    assert files.epochs_of(0) == list(range(1, EPOCHS + 1))
    assert result.states == {"COMPLETE": 2, "PRUNED": 1}
    assert result.best is not None
    assert result.best.trial.number != 0
    assert result.best.default_value == pytest.approx(fitness(found[0], EPOCHS))


def test_pasha_ends_with_fewer_epochs_where_the_ranking_holds(files: SweepFiles) -> None:
    """On a quadratic the ranking never changes: nothing is trained beyond the second rung."""
    result = run(files, trials=9, scheduler={"type": "pasha", "grace_period": 1, "reduction_factor": 3})
    assert result.states == {"PRUNED": 9}
    assert {max(t.intermediate_values) for t in trials(files)} == {1, 3}
    assert result.best is not None
    assert result.best.epoch == 3
