from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from search.schedulers.promoting import PromotingScheduler
from search.schedulers.rungs import Past, Rungs, rung_levels
from tests.search.schedulers.ray_model import ModelDesk, ModelTrial, RayModel
from tests.search.schedulers.reference import Asha

pytestmark = pytest.mark.timeout(60)  # drawn cases take seconds where the machine is busy
LOSSES = [0.0, 0.25, 0.5, 0.5, 0.75, 1.0]


@given(
    events=st.lists(st.tuples(st.integers(0, 15), st.sampled_from(LOSSES)), max_size=150),
    slots=st.integers(1, 16),
    eta=st.sampled_from([2, 3, 4]),
    planned=st.integers(1, 40),
)
@settings(deadline=None)
def test_with_checkpoints_that_take_no_time_slots_do_as_the_paper_says(
    events: list[tuple[int, float]], slots: int, eta: int, planned: int
) -> None:
    """One trial waits drawn ahead of time, as in Ray; what each slot trains is what the paper gives to it."""
    epochs = 9
    levels = rung_levels(epochs, 1, eta)
    targets = [*levels, epochs]
    paper = Asha(levels, eta)
    model = RayModel(Rungs(levels, eta, "min"), slots, epochs, planned)
    model.fill()
    jobs = {}
    for _ in range(slots):
        if (job := paper.get_job(may_draw=paper.drawn < planned)) is not None:
            jobs[job[0]] = job[1]
    for who, loss in events:
        at_work = model.at_work()
        assert {trial.number for trial in at_work} == jobs.keys()
        if not at_work:
            break
        trial = at_work[who % len(at_work)]
        k = jobs[trial.number]
        while trial.epoch < targets[k]:
            assert trial.status == Trial.RUNNING
            assert not trial.is_saving
            action = model.report(trial, loss)
        del jobs[trial.number]
        paper.completed(trial.number, k, loss)
        for _ in range(slots - len(jobs)):  # also those that had nothing to do before
            if (job := paper.get_job(may_draw=paper.drawn < planned)) is not None:
                jobs[job[0]] = job[1]
        if action == TrialScheduler.PAUSE:
            model.saved(trial)
        model.fill()


@given(
    events=st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from(LOSSES), st.sampled_from(["report"] * 6 + ["crash", "nan"])),
        max_size=80,
    ),
    slots=st.integers(1, 8),
    eta=st.sampled_from([2, 3, 4]),
    planned=st.integers(1, 12),
    most=st.sampled_from([1, 2, 100]),
)
@settings(deadline=None, max_examples=60)
def test_whatever_happens_promotions_are_deserved_no_slot_idles_and_the_sweep_ends(
    events: list[tuple[int, float, str]], slots: int, eta: int, planned: int, most: int
) -> None:
    """Checkpoints take time, workers die at any moment, trials diverge."""
    epochs = 9
    rungs = Rungs((1, 3), eta, "min")
    model = RayModel(rungs, slots, epochs, planned, most)
    values: dict[int, dict[int, float]] = {1: {}, 3: {}}
    promoted: set[tuple[int, int]] = set()

    def check() -> None:
        assert len(model.at_work()) <= slots
        model.fill()
        assert model.desk.at_work() <= most
        for number in model.desk.taken_up:
            epoch = max(e for e in values if number in values[e])
            ranking = sorted(values[epoch], key=lambda n: (values[epoch][n], n))
            assert number in ranking[: len(ranking) // eta]
            assert (number, epoch) not in promoted
            promoted.add((number, epoch))
        model.desk.taken_up.clear()
        ready = [
            n for n in rungs.promotables() if any(t.number == n and t.status == Trial.PAUSED for t in model.trials)
        ]
        assert not ready or len(model.at_work()) == slots or model.desk.at_work() == most

    check()
    steady = [(n % 3, LOSSES[n % 6], "report") for n in range(20 * planned + 20)]
    for who, loss, kind in [*events, *steady]:
        at_work = model.at_work()
        if not at_work:
            break
        trial = at_work[who % len(at_work)]
        if kind == "crash":
            model.crash(trial)
        elif trial.is_saving:
            model.saved(trial)
        else:
            action = model.report(trial, float("nan") if kind == "nan" else loss)
            if kind == "nan":
                assert action == TrialScheduler.STOP
            elif trial.epoch in values:
                first = values[trial.epoch].setdefault(trial.number, loss)
                if action == TrialScheduler.CONTINUE and trial.number in rungs.waiting:
                    pytest.fail(f"trial {trial.number} goes on and waits, with {first}")
        check()
    model.fill()
    assert {trial.status for trial in model.trials} == {Trial.TERMINATED}
    assert len(model.trials) == planned


@given(
    losses=st.lists(st.sampled_from([*LOSSES, float("nan")]), min_size=1, max_size=30), eta=st.sampled_from([2, 3, 4])
)
@settings(deadline=None)
def test_a_sweep_of_few_trials_ends_with_its_best_trained_to_the_end(losses: list[float], eta: int) -> None:
    """Each trial has one loss, NaN diverges; without the last step this is the paper's algorithm and no more."""
    models = [RayModel(Rungs((1, 3), eta, "min"), 1, 9, len(losses), finish_best=finish) for finish in (False, True)]
    for model in models:
        model.fill()
        while at_work := model.at_work():
            (trial,) = at_work
            if model.report(trial, losses[trial.number]) == TrialScheduler.PAUSE:
                model.saved(trial)
            model.fill()
        assert {trial.status for trial in model.trials} == {Trial.TERMINATED}
    paper, finished = models
    sound = [number for number, loss in enumerate(losses) if loss == loss]
    if paper.desk.full or not sound:
        assert finished.started == paper.started
    else:
        assert finished.desk.full == {min(sound, key=lambda number: (losses[number], number))}
        assert finished.started == [*paper.started, *finished.desk.full]


@given(losses=st.lists(st.sampled_from(LOSSES), min_size=1, max_size=20), eta=st.sampled_from([2, 3]))
@settings(deadline=None)
def test_what_is_spared_is_trained_to_its_end_and_so_is_one_that_is_not(losses: list[float], eta: int) -> None:
    rungs = Rungs((1, 3), eta, "min")
    rungs.release(0)
    model = RayModel(rungs, 1, 9, len(losses), finish_best=True, spared=(0,))
    model.fill()
    while at_work := model.at_work():
        (trial,) = at_work
        action = model.report(trial, losses[trial.number])
        assert trial.number != 0 or action == (TrialScheduler.STOP if trial.epoch == 9 else TrialScheduler.CONTINUE)
        if action == TrialScheduler.PAUSE:
            model.saved(trial)
        model.fill()
    assert {trial.status for trial in model.trials} == {Trial.TERMINATED}
    assert 0 in model.desk.full
    assert len(model.desk.full) > 1 or len(losses) == 1


def scheduler(history: list[Past], begun: frozenset[int] = frozenset(), most: int = 10) -> tuple[Any, ModelDesk, Rungs]:
    rungs = Rungs((1, 3), 3, "min")
    rungs.load(history)
    desk = ModelDesk(rungs, planned=10, most=most, begun=begun)
    return PromotingScheduler(rungs, desk, metric="loss", epochs=9), desk, rungs


def test_what_waited_before_a_resume_waits_on_and_goes_on_from_its_checkpoint() -> None:
    history = [Past(0, {1: 0.1}, 1), Past(1, {1: 0.2}, 1), Past(2, {1: 0.3}, 1)]
    ray, desk, rungs = scheduler(history)
    waiting = [ModelTrial(n) for n in range(3)]
    for trial in waiting:
        ray.on_trial_add(None, trial)
    assert [trial.status for trial in waiting] == [Trial.PAUSED] * 3
    assert all(trial.has_folder for trial in waiting)
    assert ray.choose_trial_to_run(None) is waiting[0]
    assert waiting[0].config["checkpoint"] == "/left/0"
    waiting[0].status = Trial.PENDING
    assert ray.choose_trial_to_run(None) is waiting[0]  # asked again before its worker is there
    waiting[0].status = Trial.RUNNING
    assert ray.choose_trial_to_run(None) is None
    assert desk.taken_up == [0]
    assert rungs.waiting.keys() == {1, 2}


def test_a_trial_of_this_driver_goes_on_from_rays_own_checkpoint() -> None:
    ray, _, _ = scheduler([Past(0, {1: 0.1}, 1), Past(1, {1: 0.2}), Past(2, {1: 0.3})])
    trial = ModelTrial(0, checkpoint=object())
    ray.on_trial_add(None, trial)
    assert ray.choose_trial_to_run(None) is trial
    assert trial.config["checkpoint"] is None


def test_a_trial_that_lost_its_worker_comes_before_one_that_is_promoted_and_both_before_a_new_one() -> None:
    ray, _, _ = scheduler([Past(0, {1: 0.1}, 1), Past(1, {1: 0.2}), Past(2, {1: 0.3})], begun=frozenset({1}))
    new, left, paused = ModelTrial(5), ModelTrial(1), ModelTrial(0)
    for trial in (new, paused, left):
        ray.on_trial_add(None, trial)
    assert ray.choose_trial_to_run(None) is left
    left.status = Trial.RUNNING
    ray.on_trial_error(None, left)
    left.status = Trial.PENDING
    ray.on_trial_add(None, left)
    assert ray.choose_trial_to_run(None) is left
    for trial in (left, new):
        trial.status = Trial.RUNNING
    ray.on_trial_error(None, new)
    new.status = Trial.PENDING
    ray.on_trial_add(None, new)
    assert ray.choose_trial_to_run(None) is new
    new.status = Trial.RUNNING
    assert ray.choose_trial_to_run(None) is paused


def test_no_more_are_at_work_than_may_be() -> None:
    ray, desk, _ = scheduler([Past(0, {1: 0.1}, 1), Past(1, {1: 0.2}), Past(2, {1: 0.3})], most=1)
    trial = ModelTrial(0)
    ray.on_trial_add(None, trial)
    desk.live = {0, 7}
    assert ray.choose_trial_to_run(None) is None
    desk.live = {0}
    assert ray.choose_trial_to_run(None) is trial


def test_a_missing_metric_ends_the_trial() -> None:
    ray, _, _ = scheduler([])
    ray.on_trial_add(None, ModelTrial(0))
    assert ray.on_trial_result(None, cast("Any", ModelTrial(0)), {"epoch": 1}) == TrialScheduler.STOP
    assert "0 trials wait" in ray.debug_string()
