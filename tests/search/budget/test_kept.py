"""Budgets under a real Ray, with a trainable that is quick."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import ray
import yaml
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from data_prep.errors import InputError
from search.checkpoints import newest_checkpoint
from search.results import read_run
from search.status import sweep_status
from search.sweep import Options, SweepResult, resume_sweep, run_sweep
from tests.search.conftest import ROOT, SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.usefixtures("gpu_ray")]


@pytest.fixture(scope="module")
def gpu_ray() -> Iterator[None]:
    """One Ray for the module: two CPUs, and a GPU that it only counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
        ray.init(
            address="local",
            num_cpus=2,
            num_gpus=1,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100 * 2**20,
        )
        yield
        ray.shutdown()


def run(files: SweepFiles, console: Console | None = None, **changes: Any) -> SweepResult:
    changes = {"scheduler": {"type": "none"}, "trials": 10, "train": {"epochs": 4}, "resources": {"gpus": 0}} | changes
    return run_sweep(files.config(**changes), files.run, Options(trainable=QuadraticTrainable, console=console))


def go_on(files: SweepFiles, *budget: str) -> SweepResult:
    return resume_sweep(files.run, options=Options(trainable=QuadraticTrainable), budget=budget)


def trials(files: SweepFiles) -> list[FrozenTrial]:
    return read_run(files.run)[1].get_trials()


def epochs_run(files: SweepFiles) -> int:
    return sum(t.user_attrs.get("last", {}).get("epochs_run", 0) for t in trials(files))


def test_epochs_are_kept_and_a_larger_budget_goes_on_where_they_ended(files: SweepFiles) -> None:
    text = io.StringIO()
    result = run(files, Console(file=text, width=200), budget={"epochs": 7, "hours": 1}, keep_best_checkpoints=0)
    for words in ("/7, hours ", "waits for a resume"):
        assert words in text.getvalue()
    assert len(files.epochs()) == epochs_run(files) == 7
    assert not result.interrupted
    assert result.ended is not None
    assert result.ended.sentence == "budget.epochs is used up: 7 of 7"
    assert (files.run / "results.csv").is_file()
    cut = [t for t in trials(files) if t.state == TrialState.RUNNING]
    for trial in cut:  # each reported its last epoch and keeps its checkpoint
        found = newest_checkpoint(str(files.run / "ray"), trial.number, below=4)
        assert found is not None
        assert found.epoch == max(trial.intermediate_values) == trial.user_attrs["last"]["epoch"]
    assert cut

    again = go_on(files)  # nothing is left: says so, and trains nothing
    assert again.ended == result.ended
    assert len(files.epochs()) == 7

    last = go_on(files, "epochs=16")
    assert len(files.epochs()) == 16
    assert last.ended is not None
    assert yaml.safe_load((files.run / "sweep.yaml").read_text())["budget"] == {"epochs": 16, "hours": 1.0}
    for trial in cut:  # from their checkpoints: no epoch was trained twice
        assert Counter(files.epochs_of(trial.number)).most_common(1)[0][1] == 1
    assert [t.number for t in trials(files) if t.number in {c.number for c in cut} and not t.state.is_finished()] == []


def test_an_epoch_that_a_failed_trial_left_is_given_to_another(files: SweepFiles) -> None:
    files.switch("diverge_1")
    result = run(files, trials=6, train={"epochs": 3}, budget={"epochs": 8})
    assert result.states["FAIL"] == 1
    assert epochs_run(files) == 8
    assert all(t.state != TrialState.FAIL or t.number == 1 for t in trials(files))


def hours_used(files: SweepFiles) -> float:
    return next(state.used or 0.0 for state in sweep_status(files.run).budget if state.name == "hours")


def test_hours_end_a_sweep_and_are_summed_over_resumes(files: SweepFiles) -> None:
    files.switch("sleep", "0.2")
    run(files, trials=5000, budget={"epochs": 4, "hours": 1})
    used = hours_used(files)
    assert used > 0.2 / 3600
    result = go_on(files, "epochs=null", f"hours={used + 4 / 3600}")
    assert result.ended is not None
    assert result.ended.budget == "hours"
    assert not result.interrupted
    done = len(files.epochs())
    assert used + 3 / 3600 < hours_used(files) or done > 4
    again = go_on(files)
    assert again.ended is not None
    assert again.ended.budget == "hours"  # no epoch fits into what is left: nothing is started
    assert len(files.epochs()) == done


def test_an_epoch_that_hangs_is_cut_to_the_last_checkpoint(files: SweepFiles) -> None:
    run(files, trials=1, budget={"epochs": 2, "hours": 1})
    files.switch("sleep", "100")
    result = go_on(files, "epochs=null", f"hours={hours_used(files) + 4 / 3600}")
    assert result.ended is not None
    assert result.ended.budget == "hours"
    (trial,) = trials(files)
    assert trial.state == TrialState.RUNNING
    assert max(trial.intermediate_values) == 2
    assert newest_checkpoint(str(files.run / "ray"), 0, below=4) is not None


def test_a_target_ends_the_sweep_for_good(files: SweepFiles) -> None:
    result = run(files, trials=8, train={"epochs": 3}, budget={"target": 0.5})
    assert result.ended is not None
    assert result.ended.final
    found = trials(files)
    assert len(found) < 8
    assert all(t.state.is_finished() for t in found)
    assert result.best is not None
    assert result.best.trial.state == TrialState.COMPLETE
    assert result.best.value >= 0.5
    for trial in found:
        if trial.state == TrialState.PRUNED:
            assert trial.user_attrs["stopped_by"] == "budget.target"
            assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]
    again = go_on(files)
    assert again.ended is not None
    assert len(trials(files)) == len(found)
    assert sum(go_on(files, "target=null").states.values()) == 8


def test_a_plateau_ends_the_sweep(files: SweepFiles) -> None:
    result = run(files, trials=60, train={"epochs": 1}, budget={"plateau": {"trials": 4, "min_delta": 0.001}})
    assert result.ended is not None
    assert result.ended.budget == "plateau"
    ended = sorted((t for t in trials(files) if t.values), key=lambda t: (t.datetime_complete, t.number))
    best = max(t.value or 0 for t in ended[:-4])
    assert all((t.value or 0) <= best + 0.001 for t in ended[-4:])


def test_a_budget_that_is_extended_gives_what_it_would_have_given_from_the_start(
    files: SweepFiles, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One slot, ASHA that pauses: trials at work and at rungs go on as if nothing had come between."""
    whole = SweepFiles(tmp_path_factory.mktemp("whole"))
    asha = {"scheduler": {"type": "asha", "grace_period": 1}, "train": {"epochs": 9}, "max_concurrent": 1, "trials": 40}
    run(files, **asha, budget={"epochs": 14})
    waiting = [t.number for t in trials(files) if t.user_attrs.get("paused")]
    assert waiting
    go_on(files, "epochs=20")
    go_on(files, "epochs=31")
    run(whole, **asha, budget={"epochs": 31})
    assert [(trial, epoch) for trial, epoch, _ in files.epochs()] == [
        (trial, epoch) for trial, epoch, _ in whole.epochs()
    ]
    assert [(t.state, t.params, t.intermediate_values) for t in trials(files)] == [
        (t.state, t.params, t.intermediate_values) for t in trials(whole)
    ]


def test_gpu_hours_are_training_time_times_gpus(files: SweepFiles) -> None:
    files.switch("sleep", "0.3")
    result = run(files, trials=50, resources={"gpus": 0.5}, budget={"gpu_hours": 2 / 3600})
    assert result.ended is not None
    assert result.ended.budget == "gpu_hours"
    seconds = sum(t.user_attrs["last"]["seconds"] for t in trials(files) if t.intermediate_values)
    used = sweep_status(files.run).budget[0].used
    assert used is not None
    assert used * 3600 == pytest.approx(0.5 * seconds)
    assert len(files.epochs()) <= 2 / 0.5 / 0.3 + 2  # an epoch takes 0.3 s at least; one per slot may be too much


def test_gpu_hours_without_a_gpu_are_refused_and_nothing_is_left(files: SweepFiles) -> None:
    with pytest.raises(InputError, match=r"budget\.gpu_hours: a trial takes no GPU"):
        run(files, budget={"gpu_hours": 1})
    assert not files.run.exists()
