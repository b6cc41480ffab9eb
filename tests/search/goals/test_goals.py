"""A sweep with several goals as far as it goes without Ray: what is accepted, what the study holds, the front."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.study import StudyDirection
from optuna.trial import TrialState

from data_prep.errors import InputError, WorkFailedError
from search.best import best_trial, chosen_trial
from search.config import load_sweep_config
from search.config_files import kept_files
from search.goals.config import Objective
from search.goals.front import front_table, pareto_front
from search.goals.record import OBJECTIVES
from search.keys import BEST
from search.opening import open_study
from search.promote import PromoteOptions, promote
from search.results import export_best, results_table, write_results
from search.retention import RetentionRule, Standing, standing
from search.samplers import GeneticSampler, PortfolioSampler, build_sampler
from search.searcher import StudySearcher
from search.space import load_space
from search.status import sweep_status
from search.study import SweepStudy
from search.trial_plan import TrialPlan
from tests.search.conftest import SweepFiles

GOALS = [{"metric": "map50_95", "mode": "max"}, {"metric": "cost", "mode": "min"}]


def open_goals(files: SweepFiles, *, new: bool = True, **changes: Any) -> tuple[StudySearcher, SweepStudy, TrialPlan]:
    changes = {"objectives": GOALS, "sampler": {"members": ["random"]}, **changes}
    config = files.config(**changes)
    files.run.mkdir(exist_ok=True)
    for name, text in kept_files(config).items():
        (files.run / name).write_text(text)
    space = load_space(config.space)
    sampler = build_sampler(config.sampler, space, config.seed, several_goals=True)
    study = open_study(config, files.run, space, sampler, new=new)
    plan = TrialPlan(
        space=space,
        hyp=config.base_hyp().as_dict(),
        train=config.settings().as_dict(),
        epochs=config.epochs,
        metric=config.metric,
        mode=config.mode,
        trials=config.trials,
        objectives=config.objectives,
    )
    return StudySearcher(study, plan, lambda _: None, lambda _: pytest.fail("no crash")), study, plan


def step(epoch: int, quality: float, cost: float, **more: Any) -> dict[str, Any]:
    return {"epoch": epoch, "map50_95": quality, "cost": cost, "time_this_iter_s": 1.0, **more}


# What is accepted


def test_goals_are_kept_and_the_first_names_metric_and_mode(files: SweepFiles) -> None:
    config = load_sweep_config(files.write(objectives=GOALS, sampler={"members": ["nsga2"]}))

    kept = yaml.safe_load(kept_files(config)["sweep.yaml"])

    assert (config.metric, config.mode) == ("map50_95", "max")
    assert list(map(str, config.goals)) == ["map50_95 (max)", "cost (min)"]
    assert kept["objectives"] == GOALS
    assert not {"metric", "mode"} & kept.keys()
    (files.folder / "again.yaml").write_text(yaml.safe_dump({**kept, "space": "space.yaml"}))
    assert load_sweep_config(files.folder / "again.yaml").goals == config.goals


def test_one_goal_is_as_it_was(files: SweepFiles) -> None:
    config = files.config(metric="map75", mode="min")

    assert config.goals == (Objective(metric="map75", mode="min"),)
    assert "objectives" not in yaml.safe_load(kept_files(config)["sweep.yaml"])


def test_a_sampler_that_knows_several_goals_is_the_default(files: SweepFiles) -> None:
    values = yaml.safe_load(files.write(objectives=GOALS).read_text())
    del values["sampler"]
    (files.folder / "plain.yaml").write_text(yaml.safe_dump(values))

    assert load_sweep_config(files.folder / "plain.yaml").sampler.names == ("tpe",)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"metric": "fitness"}, "metric and objectives exclude each other"),
        ({"mode": "min"}, "mode and objectives exclude each other"),
        ({"objectives": GOALS[:1]}, "only map50_95"),
        ({"objectives": [*GOALS, GOALS[0]]}, "map50_95 more than once"),
        ({"objectives": [{"metric": "cost"}, GOALS[0]]}, "mode"),
        ({"sampler": {"members": ["ga"]}}, "ga searches for the best of one value"),
        ({"sampler": {"members": ["tpe", "random"]}}, "a portfolio"),
        ({"scheduler": {"type": "pasha"}}, "pasha ranks trials by one value"),
        ({"scheduler": {"type": "median"}}, "median ranks trials by one value"),
        ({"scheduler": {"type": "asha_stop"}}, "asha_stop ranks trials by one value"),
        ({"stages": [{"name": "one", "trials": 6, "parameters": ["lr0"]}]}, "stages start from the best trial"),
        ({"budget": {"target": 0.9}}, "budget.target is about one value"),
        ({"budget": {"plateau": {"trials": 5}}}, "budget.plateau is about one value"),
    ],
)
def test_what_does_not_go_with_several_goals_is_refused_by_name(
    files: SweepFiles, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        files.config(**{"objectives": GOALS, "sampler": {"members": ["tpe"]}, **changes})


@pytest.mark.parametrize("name", ["nsga2", "nsga3"])
def test_a_sampler_for_several_goals_is_refused_where_there_is_one(files: SweepFiles, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is for several goals"):
        files.config(sampler={"members": [name]})


@pytest.mark.parametrize("sampler", [GeneticSampler(seed=0), PortfolioSampler({"ga": GeneticSampler(seed=0)}, seed=0)])
def test_ga_and_portfolio_refuse_a_study_with_several_goals_themselves(sampler: optuna.samplers.BaseSampler) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)

    with pytest.raises(ValueError, match=type(sampler).__name__):
        study.ask().suggest_float("x", 0, 1)


# What the study holds


def test_a_trial_that_ran_to_its_end_has_the_values_of_all_goals(files: SweepFiles) -> None:
    searcher, study, _ = open_goals(files, train={"epochs": 3, "model": "yolov5n"})
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.1, 4.0))
    searcher.on_trial_result("a", step(2, 0.3, 4.0))
    searcher.on_trial_complete("a", step(3, 0.2, 4.0))

    trial = study.trial(0)
    assert trial.state == TrialState.COMPLETE
    assert trial.values == [0.2, 4.0]
    assert trial.user_attrs[OBJECTIVES] == {"1": [0.1, 4.0], "2": [0.3, 4.0], "3": [0.2, 4.0]}
    assert not trial.intermediate_values  # Optuna's TPE fails on a study of several goals that has them
    assert BEST not in trial.user_attrs  # of several goals no epoch is the best
    assert study.study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]


def test_a_stopped_trial_is_pruned_without_values_and_keeps_its_steps(files: SweepFiles) -> None:
    searcher, study, _ = open_goals(files)
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.1, 4.0))
    searcher.on_trial_complete("a", step(2, 0.3, 4.0, done=True))

    trial = study.trial(0)
    assert trial.state == TrialState.PRUNED
    assert trial.values is None
    assert trial.user_attrs[OBJECTIVES] == {"1": [0.1, 4.0], "2": [0.3, 4.0]}


@pytest.mark.parametrize("broken", [{"cost": math.nan}, {"cost": math.inf}, {"map50_95": math.nan}])
def test_a_goal_that_is_no_number_fails_the_trial(files: SweepFiles, broken: dict[str, float]) -> None:
    searcher, study, _ = open_goals(files)
    searcher.suggest("a")
    searcher.on_trial_complete("a", step(1, 0.1, 4.0) | broken)

    assert study.trial(0).state == TrialState.FAIL
    assert study.trial(0).user_attrs["failure"] == f"{next(iter(broken))} is no finite number at epoch 1"


def test_a_goal_that_nobody_reports_ends_the_sweep_by_name(files: SweepFiles) -> None:
    searcher, _, _ = open_goals(files)
    searcher.suggest("a")
    searcher.on_trial_result("a", {"epoch": 1, "map50_95": 0.5, "fitness": 0.1})

    assert isinstance(searcher.error, InputError)
    assert "objectives: a trial reports no `cost`" in str(searcher.error)


def test_an_epoch_that_is_trained_again_keeps_what_was_reported_first(files: SweepFiles) -> None:
    searcher, study, _ = open_goals(files)
    searcher.suggest("a")
    searcher.on_trial_result("a", step(1, 0.1, 4.0))
    searcher.on_trial_result("a", step(1, 0.2, 5.0))

    assert study.trial(0).user_attrs[OBJECTIVES] == {"1": [0.1, 4.0]}
    assert study.trial(0).user_attrs["last"]["epochs_run"] == 2


def test_a_trial_whose_last_epoch_is_stored_is_closed_by_a_resume(files: SweepFiles) -> None:
    searcher, study, _ = open_goals(files, train={"epochs": 2, "model": "yolov5n"})
    searcher.suggest("a")
    study.report_goals(study.trial(0), 2, [0.4, 7.0])  # and then the driver was killed

    again, study, _ = open_goals(files, new=False, train={"epochs": 2, "model": "yolov5n"})
    handed = again.suggest("b")

    assert handed is not None
    assert handed["trial_number"] == 1
    assert study.trial(0).values == [0.4, 7.0]


def test_a_study_with_other_goals_is_refused_by_name(files: SweepFiles) -> None:
    open_goals(files)

    with pytest.raises(InputError, match="another objectives"):
        open_goals(files, new=False, objectives=[GOALS[0], {"metric": "cost", "mode": "max"}])


def test_costs_are_asked_of_the_trainable_where_a_goal_is_one(files: SweepFiles) -> None:
    goals = [GOALS[0], {"metric": "latency_ms", "mode": "min"}, {"metric": "weights_megabytes", "mode": "min"}]
    searcher, _, _ = open_goals(files, objectives=goals)
    handed = searcher.suggest("a")
    assert handed is not None
    assert handed["costs"] == ["latency_ms", "weights_megabytes"]

    (files.folder / "other").mkdir()
    plain, _, _ = open_goals(SweepFiles(files.folder / "other"))
    assert "costs" not in (plain.suggest("a") or {})


# Samplers


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["tpe", "nsga2", "nsga3", "random", "qmc", "gp"])
def test_samplers_work_asynchronously_with_pruned_and_failed_trials_and_repeat(tmp_path: Path, name: str) -> None:
    """Two at a time, a third of them stopped or failed, a new process in the middle: the draws are the same."""

    trials = 8 if name == "gp" else 18  # it takes a second for each

    def run(folder: str, restart: int) -> list[dict[str, Any]]:
        (tmp_path / folder).mkdir()
        files = SweepFiles(tmp_path / folder)
        options = {"n_startup_trials": 4} if name in ("tpe", "gp") else {}
        options = {"population_size": 4} if name.startswith("nsga") else options
        common = {"trials": trials, "train": {"epochs": 2, "model": "yolov5n"}, "sampler": {"members": {name: options}}}
        searcher, study, _ = open_goals(files, **common)
        live = [searcher.suggest("0")]
        for i in range(1, trials):
            if i == restart:  # nothing but the study is left; those at work are handed out again
                searcher, study, _ = open_goals(files, new=False, **common)
                live = [searcher.suggest(f"again{i}")]
            live.append(searcher.suggest(str(i)))
            _end(searcher, live.pop(0), i)
        assert {trial.user_attrs["sampler"] for trial in study.trials()} == {"default", name}
        return [trial.params for trial in study.trials()]

    def _end(searcher: StudySearcher, handed: dict[str, Any] | None, i: int) -> None:
        assert handed is not None
        name = next(ray for ray, number in searcher._numbers.items() if number == handed["trial_number"])
        quality, cost = handed["hyp"]["momentum"], handed["hyp"]["lr0"] + handed["hyp"]["momentum"] ** 2
        if i % 6 == 1:
            searcher.on_trial_complete(name, step(1, quality, cost, failure="diverged", failure_kind="diverged"))
        else:
            searcher.on_trial_complete(name, step(1 if i % 3 == 0 else 2, quality, cost))

    whole = run("whole", restart=0)

    assert run("again", restart=0) == whole
    assert run("restarted", restart=trials // 2) == whole
    distinct = {json.dumps(params) for params in whole}
    assert len(distinct) >= len(whole) - 2  # NSGA may cross two parents into one of them


# The front


numbers = st.integers(0, 5).map(float)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(numbers, numbers, st.sampled_from(["c", "p", "f"])), min_size=1, max_size=12))
def test_the_front_is_optunas_where_trials_are_complete(trials: list[tuple[float, float, str]]) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for quality, cost, ending in trials:
        trial = study.ask()
        trial.set_user_attr(OBJECTIVES, {"3": [quality, cost]})
        if ending == "c":
            study.tell(trial, [quality, cost])
        else:
            study.tell(trial, state=TrialState.PRUNED if ending == "p" else TrialState.FAIL)

    front = pareto_front(study)

    if study.best_trials:
        assert {each.trial.number for each in front} == {trial.number for trial in study.best_trials}
    else:
        assert all(each.trial.state == TrialState.PRUNED for each in front)
    qualities = [each.values[0] for each in front]
    assert qualities == sorted(qualities, reverse=True)
    assert best_trial(study) is None


def ended(files: SweepFiles) -> SweepStudy:
    """Three COMPLETE trials, the last one dominated, and a stopped one."""
    searcher, study, _ = open_goals(files, trials=4, train={"epochs": 2, "model": "yolov5n"})
    for i, (quality, cost, epoch) in enumerate([(0.5, 9.0, 2), (0.3, 4.0, 2), (0.2, 5.0, 2), (0.9, 1.0, 1)]):
        searcher.suggest(str(i))
        searcher.on_trial_complete(str(i), step(epoch, quality, cost))
    return study


def test_tables_have_the_goals_by_name_and_who_is_on_the_front(files: SweepFiles) -> None:
    study = ended(files)
    config = load_sweep_config(files.run / "sweep.yaml")

    write_results(study.study, config, load_space(config.space), files.run)

    table = results_table(study.study, config.objectives)
    assert table["front"].tolist() == [True, True, False, False]
    assert table["value_map50_95"].tolist() == table["value"].tolist() == [0.5, 0.3, 0.2, 0.9]
    assert table["value_cost"].tolist() == [9.0, 4.0, 5.0, 1.0]
    front = front_table(study.study, config.objectives)
    assert front[["number", "map50_95", "cost", "epochs"]].values.tolist() == [[0, 0.5, 9.0, 2], [1, 0.3, 4.0, 2]]
    assert (files.run / "front.csv").read_text() == front.to_csv(index=False)
    assert not (files.run / "best_hyp.yaml").exists()
    assert "value_cost" in (files.run / "results.csv").read_text()


def test_status_shows_the_front(files: SweepFiles) -> None:
    ended(files)

    found = sweep_status(files.run).as_dict()

    assert found["best"] is None
    assert found["objectives"] == ["map50_95", "cost"]
    assert [(each["number"], each["map50_95"], each["cost"]) for each in found["front"]] == [
        (0, 0.5, 9.0),
        (1, 0.3, 4.0),
    ]
    json.dumps(found, allow_nan=False)


def test_what_is_exported_must_be_chosen_from_the_front(files: SweepFiles) -> None:
    ended(files)

    with pytest.raises(InputError, match=r"no best trial: choose with --trial from trial 0 \(map50_95 0.5, cost 9\)"):
        export_best(files.run)
    with pytest.raises(InputError, match="trial 2 is not on the front"):
        export_best(files.run, trial=2)
    text = export_best(files.run, trial=1).read_text()

    assert (files.run / "hyp_trial_00001.yaml").read_text() == text
    assert "map50_95 0.3, cost 4 after 2 of 2 epochs; on the front of the sweep" in text


def test_what_is_promoted_must_be_chosen_from_the_front(files: SweepFiles) -> None:
    ended(files)

    with pytest.raises(InputError, match="no best trial: choose with --trial"):
        promote(files.run)
    with pytest.raises(InputError, match="trial 3 is not on the front"):
        promote(files.run, PromoteOptions(trial=3))


def test_a_sweep_without_an_epoch_has_nothing_to_choose_from(files: SweepFiles) -> None:
    open_goals(files)

    with pytest.raises(WorkFailedError, match="no trial has finished an epoch"):
        export_best(files.run, trial=0)


def test_of_one_goal_any_trained_trial_can_be_chosen(files: SweepFiles) -> None:
    from tests.search.conftest import open_tiny

    study, _ = open_tiny(files, trials=3)
    config = files.config(trials=3)
    for value in (0.2, 0.8):
        number = study.draw().number
        study.report(number, 1, value)
    study.draw()

    assert chosen_trial(config, study.study, files.run).trial.number == 1
    chosen = chosen_trial(config, study.study, files.run, 0)
    assert (chosen.trial.number, chosen.value, chosen.default_value) == (0, 0.2, 0.2)
    for missing in (2, 7):
        with pytest.raises(InputError, match=f"--trial {missing}"):
            chosen_trial(config, study.study, files.run, missing)


# Checkpoints


def test_checkpoints_stay_by_epoch_then_by_front(files: SweepFiles) -> None:
    rule = RetentionRule("max", 2, objectives=(Objective(**GOALS[0]), Objective(**GOALS[1])))
    done, cut = TrialState.COMPLETE, TrialState.PRUNED
    trials = [
        Standing(0, cut, 1, 0.9, values=(0.9, 1.0)),  # dominates all, but after one epoch
        Standing(1, done, 3, 0.5, values=(0.5, 9.0)),
        Standing(2, done, 3, 0.4, values=(0.4, 9.5)),  # dominated by 1
        Standing(3, done, 3, 0.3, values=(0.3, 4.0)),
        Standing(4, TrialState.FAIL, 3, 0.9, values=(0.9, 1.0)),
        Standing(5, TrialState.RUNNING, 0, None),
    ]

    assert rule.kept(trials) == {5, 1, 3}
    study = ended(files)
    assert standing(study.trial(1)) == Standing(1, done, 2, 0.3, values=(0.3, 4.0))
