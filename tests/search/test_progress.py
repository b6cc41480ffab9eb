from __future__ import annotations

import io
import pickle
from types import SimpleNamespace
from typing import Any

from optuna.trial import TrialState
from rich.console import Console

from search.keys import LAST
from search.progress import Progress, ProgressCallback, summary
from search.samplers.keys import PAUSED_KEY
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add


def ray_trial(number: int, checkpoint: str | None = None) -> Any:
    return SimpleNamespace(config={"trial_number": number, "checkpoint": checkpoint}, checkpoint=None)


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, force_terminal=terminal, width=120), text


def test_plain_lines_where_the_output_is_no_terminal(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    out, text = console(terminal=False)
    shown = ProgressCallback(study, planned=3, epochs=9, console=out)
    shown.setup()
    shown.on_trial_start(0, [], ray_trial(add(study, None, [])))
    study.report(0, 9, 0.25)
    study.note(0, LAST, {"epoch": 9, "seconds": 1.0, "metrics": {"fitness": 0.25}})
    study.finish(0, TrialState.COMPLETE, 0.25)
    shown.on_trial_complete(0, [], ray_trial(0))
    add(study, TrialState.FAIL, [0.1], reason="diverged at epoch 2")
    shown.on_trial_start(0, [], ray_trial(1, "/checkpoint"))
    shown.on_trial_recover(0, [], ray_trial(1))
    shown.on_trial_error(0, [], ray_trial(1))
    add(study, None, [0.1])
    shown.on_trial_start(0, [], ray_trial(2))
    shown.on_trial_complete(0, [], ray_trial(2))
    shown.on_experiment_end([])
    lines = text.getvalue().splitlines()
    assert lines[0] == "trial 0 starts (default)"
    assert lines[1].startswith("trial 0 COMPLETE after 9 of 9 epochs, 0.25 | 1/3 trials, best 0.25 (trial 0, epoch 9)")
    assert "ETA" in lines[1]
    assert lines[2] == "trial 1 goes on from its checkpoint (random)"
    assert lines[3].startswith("trial 1 crashed")
    assert lines[4].startswith("trial 1 FAIL after 1 of 9 epochs, 0.1: diverged at epoch 2 | 2/3 trials")
    assert lines[5:] == ["trial 2 starts again from its first epoch (random)", "trial 2 waits for a resume"]
    assert "\x1b" not in text.getvalue()


def test_a_live_table_on_a_terminal(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    out, text = console(terminal=True)
    shown = ProgressCallback(study, planned=3, epochs=9, console=out)
    shown.setup()
    try:
        for _ in range(2):
            add(study, TrialState.PRUNED, [0.25, 0.125])
        shown.on_trial_complete(0, [], ray_trial(1))
    finally:
        shown.close()
    shown.close()
    for words in ("default", "random", "PRUNED", "2/9", "0.25", "0.125", "2/3 trials", "best 0.125 (trial 0"):
        assert words in text.getvalue()


def test_a_notebook_gets_the_numbers(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    seen: list[Progress] = []
    shown = ProgressCallback(study, planned=2, epochs=9, on_progress=seen.append)
    shown.setup()
    add(study, TrialState.COMPLETE, [0.5])
    shown.on_trial_complete(0, [], ray_trial(0))
    assert (seen[-1].ended, seen[-1].planned) == (1, 2)
    assert seen[-1].best is not None
    assert seen[-1].eta_seconds is not None


def test_the_pace_is_that_of_this_run(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    for _ in range(5):
        add(study, TrialState.PRUNED, [0.5])
    shown = ProgressCallback(study, planned=10, epochs=9)
    assert shown.progress().eta_seconds is None  # five trials ended in a run before, at what pace nobody knows
    assert "ETA" not in summary(shown.progress())


def test_a_trial_that_waits_is_told_and_counts_for_the_pace(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    out, text = console(terminal=False)
    shown = ProgressCallback(study, planned=3, epochs=9, console=out)
    shown.setup()
    for paused_at in (None, 1):
        number = add(study, None, [0.5])
        study.note(number, PAUSED_KEY, paused_at)
        shown.on_trial_result(0, [], ray_trial(number), {})
    (line,) = text.getvalue().splitlines()
    assert line.startswith("trial 1 waits after 1 of 9 epochs, 0.5 | 0/3 trials (1 more paused), best 0.5 (trial 0, ")
    assert shown.progress().eta_seconds is not None


def test_the_eta_reads_as_a_clock() -> None:
    assert summary(Progress((), 1, 9, None, 3723.4)) == "1/9 trials, ETA 1:02:03"


def test_ray_may_pickle_it(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    out, _ = console(terminal=True)
    pickle.dumps(ProgressCallback(study, planned=3, epochs=9, console=out))
