"""Authors: drawn once, kept, respected; every hook reaches the author and nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.samplers import AUTHOR_KEY, EvenAllocation, GeneticSampler, PortfolioSampler
from tests.search.samplers.studies import next_trial, study_of

SPACE: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}


def _portfolio(seed: int | None = 2) -> PortfolioSampler:
    return PortfolioSampler({"ga": GeneticSampler(seed=0), "tpe": TPESampler(seed=1)}, seed=seed)


def _authors(study: Study) -> list[str]:
    return [trial.user_attrs[AUTHOR_KEY] for trial in study.trials]


class Recorder(RandomSampler):
    """Notes which hooks were called."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if name in {method for method in vars(BaseSampler) if not method.startswith("_")}:
            self.calls.append(name)
        return super().__getattribute__(name)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        return {"x": SPACE["x"]}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {"x": 0.25}


class Always:
    """Allocation that gives every trial to one member, and counts how often it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: Counter[int] = Counter()

    def author(self, members: Sequence[str], study: Study, number: int, seed: int) -> str:
        self.asked[number] += 1
        return self.name


class TestAuthor:
    def test_it_is_stored_by_ask_and_visible_at_once(self) -> None:
        study = study_of(sampler=_portfolio())
        trial = study.ask()
        assert trial.user_attrs[AUTHOR_KEY] == _authors(study)[0]

    def test_it_is_stored_by_optimize(self) -> None:
        study = study_of(sampler=_portfolio())
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=10)
        assert Counter(_authors(study)) == {"ga": 5, "tpe": 5}

    def test_it_is_drawn_once(self) -> None:
        allocation = Always("b")
        study = study_of(sampler=PortfolioSampler({"a": RandomSampler(), "b": RandomSampler()}, allocation=allocation))
        study.tell(study.ask(SPACE), 1.0)
        assert allocation.asked == {0: 1}

    def test_a_restart_does_not_rewrite_it(self, tmp_path: Path) -> None:
        def open_study(name: str) -> Study:
            members: dict[str, BaseSampler] = {"a": RandomSampler(), "b": RandomSampler()}
            return optuna.create_study(
                storage=JournalStorage(JournalFileBackend(str(tmp_path / "study.journal"))),
                study_name="s",
                load_if_exists=True,
                sampler=PortfolioSampler(members, allocation=Always(name)),
            )

        trial = open_study("a").ask()
        later = open_study("b")
        again = optuna.Trial(later, trial._trial_id)  # what a resumed driver builds
        again.suggest_float("x", 0, 1)
        later.tell(again, 1.0)
        assert _authors(later) == ["a"]
        assert later.ask().user_attrs[AUTHOR_KEY] == "b"

    def test_an_enqueued_trial_may_bring_its_own(self) -> None:
        study = study_of(sampler=_portfolio())
        study.enqueue_trial({"x": 0.5}, user_attrs={AUTHOR_KEY: "default"})
        assert study.ask(SPACE).user_attrs[AUTHOR_KEY] == "default"
        assert _authors(study) == ["default"]

    def test_it_depends_on_seed_and_number_alone(self) -> None:
        def run(restart_at: int) -> list[str]:
            study = study_of(sampler=_portfolio())
            for number in range(20):
                if number == restart_at:
                    study.sampler = _portfolio()
                study.tell(study.ask(SPACE), 0.5)
            return _authors(study)

        assert run(restart_at=-1) == run(restart_at=7)

    def test_an_allocation_that_names_a_stranger_is_refused(self) -> None:
        study = study_of(sampler=PortfolioSampler({"a": RandomSampler()}, allocation=Always("z")))
        with pytest.raises(InputError, match="'z'"):
            study.ask()


class TestEvenAllocation:
    def test_every_block_gives_each_member_one_trial(self) -> None:
        members, study = ("a", "b", "c"), study_of()
        drawn = [EvenAllocation().author(members, study, number, seed=4) for number in range(300)]
        assert all(set(drawn[i : i + 3]) == set(members) for i in range(0, 300, 3))
        assert len({tuple(drawn[i : i + 3]) for i in range(0, 300, 3)}) == 6  # no fixed rhythm

    def test_seeds_differ(self) -> None:
        def drawn(seed: int) -> list[str]:
            return [EvenAllocation().author(("a", "b"), study_of(), number, seed) for number in range(40)]

        assert drawn(1) != drawn(2)


class TestHooks:
    def test_all_reach_the_author_and_nobody_else(self) -> None:
        author, other = Recorder(), Recorder()
        sampler = PortfolioSampler({"author": author, "other": other}, allocation=Always("author"))
        study = study_of(sampler=sampler)
        trial = study.ask(SPACE)
        study.tell(trial, 1.0)
        assert author.calls == [
            "before_trial", "infer_relative_search_space", "sample_relative", "sample_independent", "after_trial",
        ]  # fmt: skip
        assert other.calls == []
        assert trial.params["x"] == 0.25
        sampler.reseed_rng()
        assert author.calls[-1] == other.calls[-1] == "reseed_rng"

    def test_what_the_author_leaves_out_is_sampled_by_it(self) -> None:
        study = study_of(sampler=PortfolioSampler({"random": RandomSampler(seed=0)}))
        assert study.sampler.sample_relative(study, next_trial(study), SPACE).keys() == SPACE.keys()

    def test_members_learn_from_each_other(self) -> None:
        space: dict[str, BaseDistribution] = {"x": FloatDistribution(0, 1000)}
        members: dict[str, BaseSampler] = {"ga": GeneticSampler(seed=0, n_parents=1), "random": RandomSampler(seed=3)}
        study = study_of(sampler=PortfolioSampler(members, seed=0))
        for _ in range(40):
            trial = study.ask(space)
            study.tell(trial, trial.params["x"])
        best_random = max(t.params["x"] for t in study.trials if t.user_attrs[AUTHOR_KEY] == "random")
        last_ga = [t.params["x"] for t in study.trials if t.user_attrs[AUTHOR_KEY] == "ga"][-1]
        assert last_ga > best_random / 2

    def test_pruned_trials_tell_their_author_too(self) -> None:
        author = Recorder()
        study = study_of(sampler=PortfolioSampler({"author": author}))
        study.tell(study.ask(SPACE), state=TrialState.FAIL)
        assert "after_trial" in author.calls


@pytest.mark.parametrize(
    "members", [{}, {"": RandomSampler()}, {" ga": RandomSampler()}, {3: RandomSampler()}, {"ga": GeneticSampler}]
)
def test_wrong_members_are_refused(members: Any) -> None:
    with pytest.raises(InputError):
        PortfolioSampler(members)


def test_several_goals_are_refused_at_once() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=_portfolio())
    with pytest.raises(ValueError, match="PortfolioSampler"):
        study.ask(SPACE)
