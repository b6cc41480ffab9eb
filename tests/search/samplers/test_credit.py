"""Who gets the credit of a new best, and what it does to the shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.samplers import AUTHOR_KEY, PAUSED_KEY, CreditAllocation, GeneticSampler, PortfolioSampler, rewards
from tests.search.samplers.studies import study_of

SPACE: dict[str, BaseDistribution] = {f"x{i}": FloatDistribution(0.001, 1) for i in range(5)}
RUNNING, PRUNED, COMPLETE, FAIL = TrialState.RUNNING, TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL
NAN = float("nan")


def _trial(
    steps: Mapping[int, float] | None = None,
    state: TrialState = COMPLETE,
    author: str = "a",
    value: float | None = None,
    paused: int | None = None,
) -> FrozenTrial:
    final = (steps or {})[max(steps)] if steps and state == COMPLETE and value is None else value
    attrs = {AUTHOR_KEY: author} | ({PAUSED_KEY: paused} if paused is not None else {})
    return optuna.create_trial(state=state, value=final, intermediate_values=dict(steps or {}), user_attrs=attrs)


def _rewards(*trials: FrozenTrial, maximize: bool = True) -> dict[int, float]:
    return rewards(study_of(*trials).get_trials(deepcopy=False), maximize=maximize)


class TestRewards:
    def test_without_steps_final_values_are_compared(self) -> None:
        trials = [_trial(value=value) for value in (1.0, 3.0, 2.0, 3.0, 4.0)]
        assert _rewards(*trials) == {1: 1, 2: 0, 3: 0, 4: 1}
        assert _rewards(*trials, maximize=False) == {1: 0, 2: 0, 3: 0, 4: 0}

    def test_only_equal_epochs_are_compared(self) -> None:
        long = _trial({1: 0.1, 3: 0.5, 9: 0.9})
        better_at_3 = _trial({1: 0.05, 3: 0.6}, PRUNED)
        worse_at_3 = _trial({1: 0.8, 3: 0.55}, PRUNED)  # was the best at epoch 1; what counts is how far it got
        best_at_1 = _trial({1: 0.85}, PRUNED)
        assert _rewards(long, better_at_3, worse_at_3, best_at_1) == {1: 1, 2: 0, 3: 1}

    def test_who_gets_farther_than_all_before_is_judged_where_they_were(self) -> None:
        assert _rewards(_trial({1: 0.1}, PRUNED), _trial({1: 0.2, 2: 0.0})) == {1: 1}
        assert _rewards(_trial({1: 0.1}, PRUNED), _trial({1: 0.0, 2: 9.0})) == {1: 0}

    def test_nobody_to_compare_with_is_no_improvement(self) -> None:
        assert _rewards(_trial({1: 0.1})) == {}
        assert _rewards(_trial({1: 0.1}, PRUNED), _trial({2: 0.9}, PRUNED)) == {}

    def test_failures_get_nothing_and_set_no_bar(self) -> None:
        assert _rewards(_trial({1: 0.1}, PRUNED), _trial({1: 0.9}, FAIL), _trial({1: 0.5}, PRUNED)) == {1: 0, 2: 1}
        assert _rewards(_trial({1: 0.1}, PRUNED), _trial({1: 0.2, 2: NAN}, PRUNED)) == {1: 0}

    def test_paused_trials_are_judged_and_training_ones_only_set_the_bar(self) -> None:
        first, paused = _trial({1: 0.1}, PRUNED), _trial({1: 0.2}, RUNNING, paused=1)
        training = _trial({1: 0.3}, RUNNING)
        assert _rewards(first, paused, training, _trial({1: 0.25}, PRUNED)) == {1: 1, 3: 0}

    @given(st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=4), max_size=12), st.booleans())
    def test_against_a_definition_in_words(self, curves: list[list[int]], maximize: bool) -> None:
        trials = [_trial({i: float(v) for i, v in enumerate(curve)}, PRUNED) for curve in curves]
        sign, expected = (1 if maximize else -1), {}
        for number, curve in enumerate(curves):
            common = [e for e in range(len(curve)) if any(len(earlier) > e for earlier in curves[:number])]
            if common:
                known = [sign * earlier[common[-1]] for earlier in curves[:number] if len(earlier) > common[-1]]
                expected[number] = float(sign * curve[common[-1]] > max(known))
        assert _rewards(*trials, maximize=maximize) == expected


def _history(authors: Sequence[str], values: Sequence[float]) -> optuna.Study:
    return study_of(*[_trial(value=v, author=a) for a, v in zip(authors, values, strict=True)])


class TestShares:
    def test_before_anything_is_known_they_are_even(self) -> None:
        assert CreditAllocation().shares(["a", "b"], study_of(), 0) == {"a": 0.5, "b": 0.5}
        stagnant = _history("ab" * 20, [1.0] * 40)
        assert CreditAllocation().shares(["a", "b"], stagnant, 40) == {"a": 0.5, "b": 0.5}

    def test_who_improves_gets_more(self) -> None:
        climbing = _history("ab" * 20, [float(i) if i % 2 == 0 else 0.0 for i in range(40)])
        shares = CreditAllocation().shares(["a", "b"], climbing, 40)
        assert shares["a"] > 0.75
        assert sum(shares.values()) == pytest.approx(1)

    def test_one_lucky_trial_moves_little(self) -> None:
        lucky = _history("ab" * 20, [0.0] * 38 + [1.0, 0.0])
        assert 0.5 < CreditAllocation().shares(["a", "b"], lucky, 40)["a"] < 0.65

    def test_old_credit_fades(self) -> None:
        values = [float(i) if i % 2 == 0 else 0.0 for i in range(40)]
        shares = [
            CreditAllocation(half_life=10).shares(["a", "b"], _history("ab" * n, (values + [0.0] * 60)[: 2 * n]), 2 * n)
            for n in (20, 30, 50)
        ]
        assert shares[0]["a"] > shares[1]["a"] > shares[2]["a"] >= 0.5

    def test_older_trials_than_the_window_do_not_count(self) -> None:
        old = _history("ab" * 100, [float(i) if i % 2 == 0 else 0.0 for i in range(40)] + [0.0] * 160)
        assert CreditAllocation(half_life=20).shares(["a", "b"], old, 200) == {"a": 0.5, "b": 0.5}

    @given(
        st.lists(st.tuples(st.sampled_from("abcz"), st.integers(-3, 3)), max_size=60),
        st.floats(0, 1),
        st.integers(1, 30),
    )
    def test_nobody_falls_below_the_floor(self, told: list[tuple[str, int]], floor: float, half_life: int) -> None:
        study = _history([author for author, _ in told], [float(value) for _, value in told])
        shares = CreditAllocation(floor=floor, half_life=half_life).shares(["a", "b", "c"], study, len(told))
        assert all(share >= floor / 3 - 1e-9 for share in shares.values())
        assert sum(shares.values()) == pytest.approx(1)

    def test_it_is_derived_from_the_study_seed_and_number_alone(self) -> None:
        study = _history("ab" * 20, list(np.random.default_rng(0).random(40)))
        drawn = [[CreditAllocation().author("ab", study, n, seed) for n in range(40)] for seed in (1, 1, 2)]
        assert drawn[0] == drawn[1] != drawn[2]

    @pytest.mark.parametrize("options", [{"floor": -0.1}, {"floor": 1.1}, {"half_life": 0}])
    def test_wrong_options_are_refused(self, options: dict[str, float]) -> None:
        with pytest.raises(InputError, match=next(iter(options))):
            CreditAllocation(**options)  # type: ignore[arg-type]


def _authors(members: Mapping[str, optuna.samplers.BaseSampler], trials: int, seed: int) -> list[str]:
    sampler = PortfolioSampler(members, seed=seed, allocation=CreditAllocation())
    study = study_of(sampler=sampler)
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, -sum((x - 0.3) ** 2 for x in trial.params.values()))
    return [trial.user_attrs[AUTHOR_KEY] for trial in study.trials]


class TestPortfolio:
    def test_a_better_member_gets_the_greater_share(self) -> None:
        start = dict.fromkeys(SPACE, 0.8)
        share = np.mean([
            _authors({"ga": GeneticSampler(seed=s, defaults=start), "r": RandomSampler(seed=s)}, 80, s).count("ga") / 80
            for s in range(4)
        ])  # fmt: skip
        assert share > 0.53

    def test_equal_members_stay_near_even(self) -> None:
        for seed in range(4):
            counts = Counter(_authors({"a": RandomSampler(seed=seed), "b": RandomSampler(seed=seed + 9)}, 80, seed))
            assert min(counts.values()) >= 24

    def test_nobody_waits_longer_than_promised(self) -> None:
        class Never(RandomSampler):
            """Suggests the worst corner."""

            def sample_independent(self, *args: object, **options: object) -> float:
                return 1.0

        authors = _authors({"r": RandomSampler(seed=0), "s": RandomSampler(seed=1), "never": Never()}, 120, 3)
        gaps = np.diff([-1, *[i for i, author in enumerate(authors) if author == "never"], len(authors)])
        assert max(gaps) <= 2 * 3 / 0.3 + 1
        assert authors.count("never") >= 120 * 0.3 / 3 - 2

    def test_a_member_that_is_new_comes_soon(self) -> None:
        study = _history("ab" * 20, [float(i) for i in range(40)])
        assert CreditAllocation().author(["a", "b", "new"], study, 40, 0) == "new"
