"""Configurations that break a limit: rejected, told to the samplers, and counted apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import pytest
from optuna.trial import TrialState

from data_prep.errors import InputError, WorkFailedError
from search.goals.record import is_rejected
from search.goals.screen import CONSTRAINT, MOST_REDRAWS, Screen, build_screen
from search.opening import open_study
from search.results import count_states, results_table
from search.samplers import build_sampler
from search.searcher import StudySearcher
from search.space import load_space
from search.study import SweepStudy
from search.trial_plan import TrialPlan
from tests.search.conftest import SweepFiles, open_tiny
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

LIMITS = {"weights_megabytes": {"max": 60}}


def costs(settings: TrainSettings, hyp: Hyp, names: Collection[str]) -> Mapping[str, float]:
    """Weights that weigh what the momentum says: a random space of 0.1 to 0.98 breaks a limit of 60 in 43 %."""
    assert settings.model == "yolov5n"
    return {"weights_megabytes": 100 * hyp.momentum, "gflops": 1.0}


def open_screened(
    files: SweepFiles, *, new: bool = True, costs: Callable[..., Mapping[str, float]] = costs, **changes: object
) -> tuple[SweepStudy, TrialPlan]:
    hyp = files.folder / "hyp.yaml"
    hyp.write_text("momentum: 0.5\n")
    changes = {"constraints": LIMITS, "hyp": "hyp.yaml", **changes}
    config = files.config(**changes)
    files.run.mkdir(exist_ok=True)
    space = load_space(config.space)
    sampler = build_sampler(config.sampler, space, config.seed)
    study = open_study(config, files.run, space, sampler, new=new, screen=build_screen(config, space, costs))
    plan = TrialPlan(
        space=space,
        hyp=config.base_hyp().as_dict(),
        train=config.settings().as_dict(),
        epochs=config.epochs,
        metric=config.metric,
        mode=config.mode,
        trials=config.trials,
    )
    return study, plan


def searcher_of(study: SweepStudy, plan: TrialPlan) -> StudySearcher:
    return StudySearcher(study, plan, lambda _: None, lambda _: pytest.fail("no crash"))


def test_ray_gets_as_many_trials_as_planned_and_none_that_breaks_a_limit(files: SweepFiles) -> None:
    study, plan = open_screened(files, trials=12)
    searcher = searcher_of(study, plan)

    handed = [searcher.suggest(f"ray{i}") for i in range(12)]

    assert all(isinstance(config, dict) and config["hyp"]["momentum"] <= 0.6 for config in handed)
    assert searcher.suggest("one more") == "FINISHED"
    rejected = [trial for trial in study.trials() if is_rejected(trial)]
    assert rejected
    assert len(study.trials()) == 12 + len(rejected)
    assert study.started() == 12
    assert {trial.number for trial in rejected}.isdisjoint(config["trial_number"] for config in handed)


def test_what_is_rejected_is_pruned_with_its_reason_and_tells_samplers_by_how_much(files: SweepFiles) -> None:
    study, plan = open_screened(files, trials=8)
    searcher = searcher_of(study, plan)
    for i in range(8):
        searcher.suggest(f"ray{i}")

    for trial in study.trials():
        over = 100 * trial.params["momentum"] - 60
        assert trial.constraints == {"weights_megabytes": pytest.approx(over)}
        assert is_rejected(trial) == (over > 0)
        if is_rejected(trial):
            assert trial.state == TrialState.PRUNED
            assert trial.values is None
            assert trial.user_attrs["failure_kind"] == CONSTRAINT
            assert "constraints.weights_megabytes allows at most 60" in trial.user_attrs["rejected"]
            assert "last" not in trial.user_attrs  # it cost no epoch
    rows = results_table(study.study).set_index("number")
    assert count_states(study.study) == {"RUNNING": 8, "REJECTED": len(study.trials()) - 8}
    assert rows.failure_kind.dropna().unique().tolist() == [CONSTRAINT]
    assert (rows.state == "REJECTED").sum() == len(study.trials()) - 8


@pytest.mark.timeout(60)
def test_tpe_learns_to_keep_to_the_limit(files: SweepFiles) -> None:
    """The same study without the constraints in it: its TPE is drawn over the limit far more often."""

    def share(limit: float) -> float:
        study, plan = open_screened(
            files,
            trials=30,
            name=f"limit{limit:g}",
            sampler={"members": {"tpe": {"n_startup_trials": 10}}},
            constraints={"weights_megabytes": {"max": limit}},
        )
        searcher = searcher_of(study, plan)
        for i in range(30):
            config = searcher.suggest(f"ray{i}")
            assert config is not None
            # More momentum is better, so that the goal pulls over the limit.
            for epoch in (1, 2):
                study.report(config["trial_number"], epoch, config["hyp"]["momentum"])
            study.finish(config["trial_number"], TrialState.COMPLETE, config["hyp"]["momentum"])
        over = [trial.params["momentum"] > 0.6 for trial in study.trials()[-15:]]
        return sum(over) / len(over)

    free, kept = share(100.0), share(60.0)

    assert free > 0.6
    assert kept < free - 0.3


def test_a_space_in_which_nothing_keeps_to_the_limit_ends_the_sweep_by_name(files: SweepFiles) -> None:
    def heavy(settings: TrainSettings, hyp: Hyp, names: Collection[str]) -> Mapping[str, float]:
        return {"weights_megabytes": 50.0 if hyp.momentum == 0.5 else 173.0}

    study, plan = open_screened(files, costs=heavy)
    searcher = searcher_of(study, plan)
    assert searcher.suggest("ray0")["trial_number"] == 0

    searcher.suggest("ray1")

    assert isinstance(searcher.error, WorkFailedError)
    assert "weights_megabytes is 173, and constraints.weights_megabytes allows at most 60" in str(searcher.error)
    assert study.started() == 1
    assert count_states(study.study)["REJECTED"] == MOST_REDRAWS
    assert study.failed() == 0  # nothing of that is a failed training


def test_a_kill_between_draw_and_end_of_a_rejected_trial_is_mended(
    files: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, plan = open_screened(files, trials=6)
    monkeypatch.setattr(SweepStudy, "finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    searcher = searcher_of(study, plan)

    def suggest_all() -> None:
        for i in range(6):
            searcher.suggest(f"ray{i}")

    with pytest.raises(KeyboardInterrupt):
        suggest_all()
    monkeypatch.undo()
    cut = study.trials()[-1]
    assert is_rejected(cut)
    assert cut.state == TrialState.RUNNING

    study, plan = open_screened(files, new=False, trials=6)
    searcher = searcher_of(study, plan)
    handed = [searcher.suggest(f"again{i}") for i in range(6)]

    assert cut.number not in [config["trial_number"] for config in handed]
    assert study.trial(cut.number).state == TrialState.PRUNED
    assert study.started() == 6


def test_draws_repeat_with_the_seed(files: SweepFiles) -> None:
    def drawn(name: str) -> list[float]:
        study, plan = open_screened(files, name=name)
        searcher = searcher_of(study, plan)
        for i in range(6):
            searcher.suggest(f"ray{i}")
        return [trial.params["momentum"] for trial in study.trials()]

    assert drawn("one") == drawn("two")


def test_a_start_that_breaks_a_limit_is_refused(files: SweepFiles) -> None:
    config = files.config(constraints={"weights_megabytes": {"max": 60}})
    space = load_space(config.space)
    screen = build_screen(config, space, costs)
    assert screen is not None

    with pytest.raises(InputError, match=r"weights_megabytes is 93\.7"):
        screen.check_start(config.start(space))


def test_without_limits_nothing_is_screened(files: SweepFiles) -> None:
    config = files.config()

    assert build_screen(config, load_space(config.space)) is None
    study, _ = open_tiny(files)
    assert study.draw().constraints == {}


def test_a_study_with_other_limits_is_refused(files: SweepFiles) -> None:
    open_screened(files)

    with pytest.raises(InputError, match="another constraints"):
        open_screened(files, new=False, constraints={"weights_megabytes": {"max": 70}})


def test_settings_that_are_searched_reach_the_costs(files: SweepFiles) -> None:
    (files.folder / "space.yaml").write_text("parameters: {model: {choices: [yolov5n, yolov5x]}}")
    config = files.config(constraints={"gflops": {"max": 20}})
    seen: list[str] = []

    def by_model(settings: TrainSettings, hyp: Hyp, names: Collection[str]) -> Mapping[str, float]:
        seen.append(settings.model)
        assert list(names) == ["gflops"]
        return {"gflops": 4.5 if settings.model == "yolov5n" else 205.7}

    screen = build_screen(config, load_space(config.space), by_model)
    assert isinstance(screen, Screen)

    assert screen.judge({"model": "yolov5n"}).reason is None
    assert screen.judge({"model": "yolov5x"}).excess == {"gflops": pytest.approx(185.7)}
    assert seen == ["yolov5n", "yolov5x"]
