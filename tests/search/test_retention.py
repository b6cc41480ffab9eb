from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from search.results import best_trial
from search.retention import RetentionRule, Standing, standing
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add

COMPLETE, PRUNED, FAIL, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
MODES: tuple[Literal["max", "min"], ...] = ("max", "min")
COUNTS = st.one_of(st.none(), st.integers(0, 5))


@st.composite
def populations(draw: st.DrawFn) -> list[Standing]:
    trials = []
    for number in range(draw(st.integers(0, 12))):
        epoch = draw(st.integers(0, 4))
        value = draw(st.sampled_from([0.1, 0.2, 0.3])) if epoch else None
        state = draw(st.sampled_from([COMPLETE, PRUNED, FAIL, RUNNING]))
        trials.append(Standing(number, state, epoch, value, paused=draw(st.booleans()) and state == RUNNING))
    return trials


def beats(first: Standing, second: Standing, mode: str) -> bool:
    """Written out, as against the sort key of the rule."""
    assert first.value is not None
    assert second.value is not None
    if first.epoch != second.epoch:
        return first.epoch > second.epoch
    if first.value != second.value:
        return first.value > second.value if mode == "max" else first.value < second.value
    return first.number < second.number


@given(populations(), st.sampled_from(MODES), COUNTS, COUNTS)
def test_what_is_kept_beats_what_is_not(
    trials: list[Standing], mode: Literal["max", "min"], best: int | None, paused: int | None
) -> None:
    kept = RetentionRule(mode, best, paused).kept(trials)
    assert kept <= {t.number for t in trials}
    groups = (
        ([t for t in trials if t.state in (COMPLETE, PRUNED)], best),
        ([t for t in trials if t.paused], paused),
    )
    for group, count in groups:
        able = [t for t in group if t.value is not None]
        stays = [t for t in group if t.number in kept]
        assert len(stays) == (len(able) if count is None else min(count, len(able)))
        assert all(beats(a, b, mode) for a in stays for b in able if b not in stays)
    for trial in trials:
        if trial.state == RUNNING and not trial.paused:
            assert trial.number in kept
        if trial.state == FAIL:
            assert trial.number not in kept


@given(populations(), st.sampled_from(MODES), COUNTS)
def test_of_those_that_ended_one_after_the_other_the_same_are_kept_as_of_all_at_once(
    trials: list[Standing], mode: Literal["max", "min"], best: int | None
) -> None:
    """What the keeper relies on: it looks only at the new one and those that it has kept."""
    rule = RetentionRule(mode, best)
    ended = [t for t in trials if t.state != RUNNING]
    kept: list[Standing] = []
    for trial in ended:
        stays = rule.kept([*kept, trial])
        kept = [t for t in (*kept, trial) if t.number in stays]
    assert {t.number for t in kept} == rule.kept(ended)


@pytest.mark.parametrize("mode", MODES)
def test_the_first_to_be_kept_is_the_sweeps_best_trial(files: SweepFiles, mode: Literal["max", "min"]) -> None:
    study, _ = open_tiny(files, mode=mode)
    for state, values in (
        (PRUNED, [0.9]),
        (FAIL, [0.1, 0.1, 0.1, 0.1]),
        (PRUNED, [0.2, 0.4]),
        (PRUNED, [0.2, 0.3]),
        (PRUNED, [0.2, 0.4]),
        (PRUNED, []),
    ):
        if state == FAIL or values:
            add(study, state, values)
        expected = best_trial(study.study)
        assert expected is not None
        assert RetentionRule(mode, 1).kept(map(standing, study.trials())) == {expected.trial.number}


def test_a_complete_trial_outranks_one_that_was_stopped_with_a_better_value() -> None:
    trials = [Standing(0, PRUNED, 3, 0.9), Standing(1, COMPLETE, 9, 0.5), Standing(2, PRUNED, 3, 0.8)]
    assert RetentionRule("max", 1).kept(trials) == {1}
    assert RetentionRule("max", 2).kept(trials) == {0, 1}
    assert RetentionRule("min", 2).kept(trials) == {1, 2}
