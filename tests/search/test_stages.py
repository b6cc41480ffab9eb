"""Stages as a sweep is told of them and as it runs them: wrong ones are named, kills and resumes change nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search import drivers
from search.assembly import Sweep
from search.config import load_sweep_config
from search.config_files import kept_files
from search.opening import open_study
from search.results import best_trial, read_run, results_table
from search.samplers import STAGE_KEY
from search.samplers.stages import stage_name
from search.space import load_space
from search.stages import StageState, stage_states, stages_of
from search.status import sweep_status
from search.study import SweepStudy
from tests.search.command_line import Cli
from tests.search.conftest import SweepFiles
from tests.search.test_kill import Driver

SWEEPS = Path(__file__).parents[2] / "configs" / "sweeps"
STAGES: list[dict[str, Any]] = [
    {"name": "first", "parameters": ["momentum"], "trials": 4},
    {"name": "second", "parameters": ["lr0"], "trials": 3},
]


class TestConfiguration:
    def test_the_trials_of_a_sweep_are_those_of_its_stages(self, files: SweepFiles) -> None:
        assert files.config(stages=STAGES).trials == 7

    def test_a_group_can_be_named_by_a_space(self, files: SweepFiles) -> None:
        (files.folder / "pace.yaml").write_text("parameters: {momentum: {low: 0, high: 1}}")
        stages = [{"name": "first", "space": "pace.yaml", "trials": 4}, {"name": "rest", "trials": 1}]
        config = files.config(stages=stages)
        found = stages_of(config.stages, load_space(config.space))
        assert [stage.searched for stage in found] == [{"momentum"}, {"lr0", "momentum"}]

    def test_what_a_folder_keeps_reads_back_without_the_groups_file(self, files: SweepFiles) -> None:
        group = files.folder / "pace.yaml"
        group.write_text("parameters: {momentum: {low: 0, high: 1}}")
        config = files.config(stages=[{"name": "first", "space": "pace.yaml", "trials": 4}, STAGES[1]])
        files.run.mkdir()
        kept = kept_files(config)
        for name, text in kept.items():
            (files.run / name).write_text(text)
        group.unlink()
        again = load_sweep_config(files.run / "sweep.yaml")
        assert again.trials == 7
        assert [stage.parameters for stage in again.stages] == [("momentum",), ("lr0",)]
        assert kept_files(again) == kept

    def test_a_sweep_without_stages_does_not_speak_of_them(self, files: SweepFiles) -> None:
        assert "stages" not in yaml.safe_load(kept_files(files.config())["sweep.yaml"])

    def test_alternatives_go_by_the_hyp_that_they_set(self, files: SweepFiles) -> None:
        optimizer = {"choices": ["SGD", "AdamW"]}
        slow = {"name": "lr0", "low": 0.1, "high": 1, "when": {"optimizer": "AdamW"}}
        fast = {"name": "lr0", "low": 0.2, "high": 1, "when": {"optimizer": "SGD"}}
        space = {"parameters": {"optimizer": optimizer, "slow": slow, "fast": fast, "box": {"value": 0.1}}}
        (files.folder / "space.yaml").write_text(yaml.safe_dump(space))
        config = files.config(stages=[{"name": "a", "parameters": ["lr0"], "trials": 1}, {"name": "b", "trials": 1}])
        found = stages_of(config.stages, load_space(config.space))
        assert [stage.searched for stage in found] == [{"slow", "fast"}, {"optimizer", "slow", "fast"}]

    @pytest.mark.parametrize(
        ("stages", "changes", "words"),
        [
            (STAGES, {"trials": 9}, ["trials is 9", "7 in all", "leave trials out"]),
            ([STAGES[0], {**STAGES[1], "name": "first"}], {}, ["two have one name (first, first)"]),
            ([{**STAGES[0], "name": "a b"}], {}, ["stages.0.name", "a b"]),
            ([{**STAGES[0], "trials": 0}], {}, ["stages.0.trials"]),
            ([{**STAGES[0], "parameters": []}], {}, ["stages.0.parameters"]),
            ([{**STAGES[0], "space": "space.yaml"}], {}, ["stages.0.space", "stands beside parameters"]),
            ([{**STAGES[0], "trails": 3}], {}, ["trails", "trials"]),
        ],
    )
    def test_wrong_stages_are_named(
        self, files: SweepFiles, stages: list[dict[str, Any]], changes: dict[str, Any], words: list[str]
    ) -> None:
        with pytest.raises(InputError) as error:
            files.config(stages=stages, **changes)
        assert all(word in str(error.value) for word in [str(files.folder / "sweep.yaml"), *words]), error.value

    @pytest.mark.parametrize(
        ("stages", "words"),
        [
            ([STAGES[0]], ["none searches lr0", "add them to a stage"]),
            ([{**STAGES[0], "parameters": ["scale"]}], ["first searches scale", "lr0, momentum"]),
            ([{"name": "a", "space": "no.yaml", "trials": 1}], ["stages.a.space", "no.yaml"]),
        ],
    )
    def test_stages_must_suit_the_space(
        self, files: SweepFiles, stages: list[dict[str, Any]], words: list[str]
    ) -> None:
        with pytest.raises(InputError) as error:
            Sweep(files.config(stages=stages), files.run)
        assert all(word in str(error.value) for word in words), error.value

    def test_pretrained_without_weights_is_refused(self, files: SweepFiles) -> None:
        (files.folder / "space.yaml").write_text("parameters: {pretrained: {choices: [true, false]}}")
        with pytest.raises(InputError, match=r"space\.yaml: pretrained can be true.*train\.weights"):
            Sweep(files.config(), files.run)
        train = {"epochs": 9, "model": "yolov5n", "weights": "yolov5n.pt"}
        config = files.config(train=train)
        assert config.start(load_space(config.space)) == {"pretrained": True}

    def test_the_shipped_one_suits_its_space(self) -> None:
        config = load_sweep_config(SWEEPS / "livestock_stages.yaml")
        stages = stages_of(config.stages, load_space(config.space))
        assert [stage.name for stage in stages] == ["pace", "colour", "loss"]
        assert sum(len(stage.searched) for stage in stages) == len(load_space(config.space).parameters)


def _open(files: SweepFiles, *, new: bool = True, **changes: Any) -> SweepStudy:
    sweep = Sweep(files.config(stages=STAGES, **changes), files.run)
    files.run.mkdir(exist_ok=True)
    return open_study(sweep.config, files.run, sweep.space, sweep.sampler, new=new)


def test_states_of_stages(files: SweepFiles) -> None:
    study = _open(files)
    configs = files.config(stages=STAGES).stages
    assert stage_states(configs, study.trials()) == (StageState("first", 4, 0, None), StageState("second", 3, 0, None))
    for value in (0.1, 0.4, 0.3, 0.2, 0.3):
        number = study.draw().number
        study.report(number, 9, value)
        study.finish(number, TrialState.COMPLETE, value)
    states = stage_states(configs, study.trials())
    assert list(map(str, states)) == ["first 4/4", "second 1/3, from trial 1"]
    assert results_table(study.study)["stage"].tolist() == ["first"] * 4 + ["second"]


def test_the_study_waits_between_stages_alone(files: SweepFiles) -> None:
    study = _open(files)
    numbers = []
    for _ in range(4):
        assert not study.must_wait()
        numbers.append(study.draw().number)
    for number in numbers:
        assert study.must_wait()
        study.report(number, 9, 0.5)
        study.finish(number, TrialState.COMPLETE, 0.5)
    assert not study.must_wait()
    study.draw()
    assert not study.must_wait()


def test_a_stage_waits_for_what_a_live_driver_trains_and_not_for_a_dead_ones(files: SweepFiles) -> None:
    sweep = Sweep(files.config(stages=STAGES), files.run)
    files.run.mkdir()

    def opened(who: drivers.Driver, *, new: bool = False) -> SweepStudy:
        again = Sweep(sweep.config, files.run)
        return open_study(again.config, files.run, again.space, again.sampler, new=new, driver=who)

    with drivers.driver(files.run) as first:
        one = opened(first, new=True)
        ended = [one.draw().number for _ in range(3)]
        with drivers.driver(files.run, join=True) as second:
            left = opened(second).draw().number
            for number in ended:
                one.report(number, 9, 0.5)
                one.finish(number, TrialState.COMPLETE, 0.5)
            assert one.must_wait()  # the other driver's trial may be the best
        assert not one.must_wait()
        assert one.trial(left).state == TrialState.RUNNING
        assert stage_name(one.draw()) == "second"


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


def _trials(files: SweepFiles) -> list[FrozenTrial]:
    if not (files.run / "study.journal").exists() or not (files.run / "sweep.yaml").exists():
        return []
    return read_run(files.run)[1].get_trials()


def _kill_in(stage: str, files: SweepFiles, driver: Driver) -> None:
    """Kill a driver once a trial of a stage has finished two epochs."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert driver.process.poll() is None, driver.errors()
        if any(stage_name(t) == stage and len(t.intermediate_values) > 1 for t in _trials(files)):
            os.kill(driver.process.pid, signal.SIGKILL)
            driver.process.wait()
            return
        time.sleep(0.2)
    pytest.fail(f"no trial of {stage} at work: {driver.errors()}")


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_stages_survive_kills_in_each_of_them(files: SweepFiles, start: Callable[[str], Driver], cli: Cli) -> None:
    files.switch("sleep", "0.2")
    stages = [{**STAGES[0], "trials": 3}, {**STAGES[1], "trials": 2}]
    files.write(stages=stages, train={"epochs": 4, "model": "yolov5n"}, scheduler={"type": "none"})
    _kill_in("first", files, start("run"))
    _kill_in("second", files, start("resume"))
    before = {t.number: t.params for t in _trials(files)}
    code, result = start("resume").finish(timeout=180)
    assert code == 0, result
    trials = _trials(files)
    assert [stage_name(t) for t in trials] == ["first"] * 3 + ["second"] * 2
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 5
    assert all(t.params == before[t.number] for t in trials if t.number in before)
    best = max(trials[:3], key=lambda t: (t.value, -t.number))
    assert {t.user_attrs[STAGE_KEY]["start"] for t in trials[3:]} == {best.number}
    assert {t.params["momentum"] for t in trials[3:]} == {best.params["momentum"]}
    assert {t.params["lr0"] for t in trials[:3]} == {0.01}
    assert len({t.params["lr0"] for t in trials[3:]}) == 2
    # With two slots the second stage still begins when the first has ended.
    begun, ended = [t.datetime_start for t in trials[3:]], [t.datetime_complete for t in trials[:3]]
    assert min(filter(None, begun)) >= max(filter(None, ended))
    status = sweep_status(files.run)
    assert [stage.started for stage in status.stages] == [3, 2]
    shown = cli("status", files.run)
    assert f"stages: first 3/3; second 2/2, from trial {best.number}" in shown.out
    found = best_trial(read_run(files.run)[1])
    assert found is not None
    assert found.trial.number == best.number  # lr0 changes nothing here, and of equals the earlier wins
