"""Sweeps with several goals, and with constraints, under a real Ray."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pandas as pd
import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.goals.record import values_by_epoch
from search.progress import Progress
from search.results import read_run
from search.status import sweep_status
from search.sweep import Options, resume_sweep, run_sweep
from tests.search.conftest import SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480), pytest.mark.usefixtures("local_ray")]

GOALS = [{"metric": "fitness", "mode": "max"}, {"metric": "cost", "mode": "min"}]
RUNGS = (1, 3)


class CostlyTrainable(QuadraticTrainable):
    """What it costs is known from its hyp and is the same in every epoch, as the size of a model is."""

    def step(self) -> dict[str, Any]:
        return {**super().step(), "cost": round(self._hyp["momentum"], 1)}


def trials(files: SweepFiles) -> list[FrozenTrial]:
    return read_run(files.run)[1].get_trials()


def give_pictures(files: SweepFiles) -> None:
    """The number of classes is read from a data set that is there."""
    for split in ("train", "val"):
        (files.folder / split).mkdir()


def check_states(found: list[FrozenTrial]) -> None:
    for trial in found:
        reached = values_by_epoch(trial)
        assert not trial.intermediate_values
        if trial.state == TrialState.COMPLETE:
            assert trial.values == list(reached[9])
        else:
            assert trial.state == TrialState.PRUNED
            assert trial.values is None
            assert max(reached) in RUNGS
        assert sorted(reached) == list(range(1, max(reached) + 1))


def test_it_pauses_promotes_is_interrupted_resumed_and_extended(files: SweepFiles) -> None:
    sent = []

    def interrupt(progress: Progress) -> None:
        if len(progress.trials) >= 3 and not sent:  # a second one would end all at once
            sent.append(os.kill(os.getpid(), signal.SIGINT))

    files.switch("sleep", "0.5")  # so that it is seen at work
    config = files.config(
        objectives=GOALS, trials=9, sampler={"members": {"nsga2": {"population_size": 2}}}, keep_best_checkpoints=2
    )
    result = run_sweep(config, files.run, Options(trainable=CostlyTrainable, on_progress=interrupt))
    assert result.interrupted
    assert any(trial.state == TrialState.RUNNING for trial in trials(files))

    files.switch("sleep", "0")
    result = resume_sweep(files.run, trials=3, options=Options(trainable=CostlyTrainable))

    assert not result.interrupted
    assert result.best is None
    found = trials(files)
    assert len(found) == 12
    check_states(found)
    states = Counter(trial.state for trial in found)
    assert states[TrialState.COMPLETE] >= 1
    assert states[TrialState.PRUNED] >= 5  # most wait at a rung to the end
    front = read_run(files.run)[1].best_trials
    assert sorted(pd.read_csv(files.run / "front.csv")["number"]) == sorted(trial.number for trial in front)
    status = sweep_status(files.run)
    assert status.finished
    assert [each["number"] for each in status.front] == pd.read_csv(files.run / "front.csv")["number"].tolist()
    # An interrupt costs at most the epoch in progress of each trial at work.
    assert len(files.epochs()) - sum(max(values_by_epoch(trial)) for trial in found) <= 2
    kept = list((files.run / "ray").glob("session_*/trial_*/checkpoint_*"))
    assert len({path.parent.name for path in kept}) == 2


def test_models_that_are_too_heavy_are_never_trained(files: SweepFiles) -> None:
    """With the real sizes of the models: 3.9, 14.4 and 42.2 MB."""
    give_pictures(files)
    space = {"model": {"choices": ["yolov5n", "yolov5s", "yolov5m"]}, "momentum": {"low": 0.1, "high": 0.98}}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": space}))
    config = files.config(constraints={"weights_megabytes": {"max": 10}}, trials=6)

    result = run_sweep(config, files.run, Options(trainable=QuadraticTrainable))

    found = trials(files)
    rejected = [trial for trial in found if "rejected" in trial.user_attrs]
    assert rejected
    assert len(found) - len(rejected) == 6
    assert {trial.params["model"] for trial in rejected} <= {"yolov5s", "yolov5m"}
    assert {trial.params["model"] for trial in found if trial not in rejected} == {"yolov5n"}
    assert {number for number, _, _ in files.epochs()}.isdisjoint(trial.number for trial in rejected)
    assert result.states["REJECTED"] == len(rejected)
    sizes = {"yolov5s": 14.4, "yolov5m": 42.2}
    for trial in rejected:
        assert trial.constraints["weights_megabytes"] == pytest.approx(sizes[trial.params["model"]] - 10, abs=0.5)
    assert sweep_status(files.run).finished


def test_a_start_that_is_too_heavy_leaves_no_folder(files: SweepFiles) -> None:
    give_pictures(files)
    config = files.config(constraints={"weights_megabytes": {"max": 2}})

    with pytest.raises(InputError, match="break a constraint"):
        run_sweep(config, files.run, Options(trainable=QuadraticTrainable))

    assert not files.run.exists()
