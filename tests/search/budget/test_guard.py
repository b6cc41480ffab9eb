"""What the guard grants: against budgets, a clock that is turned by hand, and a study."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.assembly import Sweep
from search.budget.config import BudgetConfig
from search.budget.guard import BudgetGuard
from search.budget.report import BudgetState, read_states, seconds_left
from search.drivers import driver
from search.keys import GPU_SECONDS, LAST
from search.samplers.history import Index
from search.study import SweepStudy
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def spend(study: SweepStudy, number: int, epochs: int, seconds: float, gpus: float = 0.0) -> None:
    study.note(number, LAST, {"epoch": epochs, "epochs_run": epochs, "seconds": seconds, GPU_SECONDS: seconds * gpus})


def guard(files: SweepFiles, clock: Clock | None = None, **budget: object) -> tuple[BudgetGuard, SweepStudy]:
    study, _ = open_tiny(files)
    add(study, None, [])
    return BudgetGuard(BudgetConfig.model_validate(budget), study, clock or Clock()), study


def test_without_a_budget_everything_is_granted(files: SweepFiles) -> None:
    kept, _ = guard(files)
    kept.begin(0)
    assert kept.may_begin()
    assert kept.may_go_on(0, 1e9)
    assert not kept.over()
    assert kept.ended() is None


def test_epochs_at_work_are_counted_before_they_end(files: SweepFiles) -> None:
    kept, study = guard(files, epochs=3)
    kept.reserve(0)
    kept.begin(0)
    assert kept.may_begin()
    kept.reserve(1)
    assert kept.may_begin()
    kept.reserve(2)
    assert not kept.may_begin()
    assert kept.may_begin(1)  # it has its epoch already
    kept.rest(2)  # it failed
    assert kept.may_go_on(0, 1.0)
    spend(study, 0, 1, 1.0)
    kept.record(0)  # one spent, two at work
    assert not kept.may_begin()
    assert not kept.may_go_on(0, 1.0)
    assert kept.holds(0)
    assert not kept.over()  # trial 1 is at work
    kept.rest(0)
    kept.put_back(0)
    assert not kept.holds(0)


def test_what_was_held_is_told_even_if_a_failure_leaves_room(files: SweepFiles) -> None:
    kept, study = guard(files, epochs=2)
    kept.begin(0)
    kept.reserve(1)
    spend(study, 0, 1, 1.0)
    assert not kept.may_go_on(0, 1.0)
    kept.record(0)
    kept.rest(0)
    kept.put_back(0)
    kept.rest(1)  # diverged: its epoch does not count
    ended = kept.ended()
    assert ended is not None
    assert ended.budget == "epochs"
    kept.reserve(0)
    kept.rest(0)
    assert kept.ended() is None


def test_hours_grant_what_ends_in_time_and_cut_what_does_not(files: SweepFiles) -> None:
    clock = Clock()
    kept, study = guard(files, clock, hours=100 / 3600)
    spend(study, 0, 2, 20.0)
    kept.record(0)  # an epoch takes 10 s
    with kept.running():
        kept.begin(0)
        clock.now += 85
        assert kept.may_begin()
        assert kept.may_go_on(0, 15.0)  # this trial's own epochs take longer
        assert not kept.may_go_on(0, 15.5)
        clock.now += 10  # 95 s: no epoch fits any more
        assert not kept.may_begin()
        assert not kept.over()  # what began in time comes to its end
        kept.begin(1)  # a worker was found for a new trial too late
        assert not kept.over()
        kept.rest(0)
        assert kept.over()  # trial 1 is not waited for
        kept.begin(0)
        assert kept.over()
    assert study.study.user_attrs
    assert BudgetGuard(BudgetConfig(hours=100 / 3600), study, clock).spent().wall_seconds == 95


def test_an_epoch_that_hangs_is_waited_for_one_epoch_longer(files: SweepFiles) -> None:
    clock = Clock()
    kept, study = guard(files, clock, hours=100 / 3600)
    spend(study, 0, 1, 10.0)
    kept.record(0)
    with kept.running():
        kept.begin(0)
        clock.now += 109
        assert not kept.over()
        clock.now += 2
        assert kept.over()


def test_hours_are_noted_now_and_then_and_summed_over_drivers(files: SweepFiles) -> None:
    clock = Clock()
    kept, study = guard(files, clock, hours=1)
    with kept.running():
        clock.now += 29
        kept.over()
        assert not read_states(BudgetConfig(hours=1), study.study)[0].used
        clock.now += 2
        kept.over()
        assert read_states(BudgetConfig(hours=1), study.study)[0].used == pytest.approx(31 / 3600)
        clock.now += 9
        other = BudgetGuard(BudgetConfig(hours=1), study, clock)  # the first was killed here
    with other.running():
        clock.now += 5
    noted = read_states(BudgetConfig(hours=1), study.study)[0].used
    assert noted == pytest.approx(45 / 3600)
    assert other.spent().wall_seconds == pytest.approx(45)  # what the first noted since is read again


def test_gpu_hours_count_what_is_at_work_as_a_mean_epoch(files: SweepFiles) -> None:
    kept, study = guard(files, gpu_hours=60 / 3600)
    spend(study, 0, 2, 40.0, gpus=0.5)
    kept.record(0)  # 20 of 60 GPU seconds, 10 an epoch
    for number in range(1, 4):
        assert kept.may_begin()
        kept.reserve(number)
    assert kept.may_begin()
    kept.reserve(4)
    assert not kept.may_begin()
    ended = kept.ended()
    assert ended is not None
    assert ended.sentence.startswith("budget.gpu_hours is used up: 0.005556 of 0.0166667")


@settings(max_examples=60, deadline=None)
@given(data=st.data(), limit=st.integers(1, 30), slots=st.integers(1, 5))
def test_epochs_are_never_exceeded_whatever_happens(data: st.DataObject, limit: int, slots: int) -> None:
    """A hand-driven Ray: trials begin, report, fail and end in any order."""
    study = FakeStudy()
    kept = BudgetGuard(BudgetConfig(epochs=limit), study, Clock())  # type: ignore[arg-type]
    training: set[int] = set()
    for _ in range(200):
        if kept.over():
            break
        if len(training) < slots and kept.may_begin() and data.draw(st.booleans()):
            number = len(study.epochs)
            study.epochs.append(0)
            kept.reserve(number)
            kept.begin(number)
            training.add(number)
        elif training:
            number = data.draw(st.sampled_from(sorted(training)))
            what = data.draw(st.sampled_from(["report", "report", "end", "fail"]))
            goes_on = what == "report" and kept.may_go_on(number, 1.0)
            if what != "fail":
                study.epochs[number] += 1
                kept.record(number)
            if not goes_on:
                kept.rest(number)
                kept.put_back(number)
                training.discard(number)
    assert sum(study.epochs) <= limit
    assert sum(study.epochs) == kept.spent().epochs
    if kept.over():
        assert not training
        assert sum(study.epochs) == limit


@settings(max_examples=60, deadline=None)
@given(data=st.data(), limit=st.floats(1, 100), slots=st.integers(1, 5))
def test_the_clock_overruns_by_one_epoch_at_most(data: st.DataObject, limit: float, slots: int) -> None:
    """Trials whose epochs take their own time each, and the mean over trials is all that is known of a new one."""
    clock, study = Clock(), FakeStudy()
    began = clock.now
    kept = BudgetGuard(BudgetConfig(hours=limit / 3600), study, clock)  # type: ignore[arg-type]
    ends: dict[int, tuple[float, float]] = {}
    longest = 0.0
    with kept.running():
        while not kept.over():
            while len(ends) < slots and kept.may_begin():
                number, seconds = len(study.epochs), data.draw(st.floats(0.5, 20))
                study.epochs.append(0)
                study.seconds.append(0.0)
                kept.reserve(number)
                kept.begin(number)
                ends[number] = (clock.now + seconds, seconds)
                longest = max(longest, seconds)
            number, (end, seconds) = min(ends.items(), key=lambda each: each[1])
            clock.now = min(end, clock.now + 1.0)  # Ray asks at least so often whether it is over
            if clock.now < end:
                continue
            goes_on = kept.may_go_on(number, seconds)
            study.epochs[number] += 1
            study.seconds[number] += seconds
            kept.record(number)
            del ends[number]
            if goes_on:
                ends[number] = (clock.now + seconds, seconds)
            else:
                kept.rest(number)
                kept.put_back(number)
    assert clock.now - began <= limit + longest + 1.0


class FakeStudy:
    """Just the epochs of trials; a real study would take a second for each example."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.seconds: list[float] = []
        self.study = self
        self.user_attrs: dict[str, float] = {}
        self.indices: list[Index] = []

    def follow(self, index: Index) -> None:
        self.indices.append(index)

    driver = None

    def others(self) -> frozenset[int]:
        return frozenset()

    def note(self, number: int, key: str, value: object) -> None:
        pass

    def set_user_attr(self, key: str, value: float) -> None:
        self.user_attrs[key] = value

    def better(self, value: float, than: float) -> bool:
        return value > than

    def trial(self, number: int) -> object:
        seconds = self.seconds[number] if self.seconds else 1.0
        last = {"epoch": self.epochs[number], "epochs_run": self.epochs[number], "seconds": seconds}
        trial = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={LAST: last})
        trial.number = number
        for index in self.indices:
            index.replace(None, trial)
        return trial


def test_words_and_time_left() -> None:
    assert str(BudgetState("hours", 1.23456, 8)) == "hours 1.235/8"
    assert str(BudgetState("target", None, 0.5)) == "target -/0.5"
    assert "and an epoch takes about 0.5" in BudgetState("hours", 7.8, 8, 0.5).sentence()
    before, now = BudgetState("epochs", 10, 100), BudgetState("epochs", 20, 100)
    assert seconds_left(before, now, 5.0) == 40
    assert seconds_left(before, before, 5.0) is None
    assert seconds_left(BudgetState("hours", 0, 2), BudgetState("hours", 1.5, 2), 99.0) == 1800
    assert seconds_left(BudgetState("target", 0, 1), BudgetState("target", 0.5, 1), 1.0) is None


def test_several_goals_are_not_compared(files: SweepFiles) -> None:
    """Neither by a driver nor by the one that goes on."""
    goals = [{"metric": "fitness", "mode": "max"}, {"metric": "cost", "mode": "min"}]
    config = files.config(objectives=goals, budget={"epochs": 100})
    sweep = Sweep(config, files.run)
    with driver(files.run) as first:
        study = sweep.open(first, new=True)
        kept = BudgetGuard(config.budget, study, Clock())
        for values in ((0.5, 2.0), (0.4, 1.0)):
            number = study.draw().number
            study.finish(number, TrialState.COMPLETE, values)
            kept.record(number)
        assert not kept.over()
    with driver(files.run) as second:
        again = Sweep(config, files.run).open(second, new=False)
        assert BudgetGuard(config.budget, again, Clock()).ended() is None
        assert [state.name for state in read_states(config.budget, again.study)] == ["epochs"]
