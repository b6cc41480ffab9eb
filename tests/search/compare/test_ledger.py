from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import InputError
from search.compare.ledger import ComparisonLedger
from search.compare.plan import ComparisonPlan, common_plan
from search.compare.standing import Standing
from search.confirm.seed_ledger import Training
from search.confirm.verdict import Rule
from tests.search.conftest import SweepFiles

PLAN = ComparisonPlan(
    params={arm: {"hyp": {"lr0": 0.1 * arm}, "train": {}} for arm in range(3)},
    names=("SGD", "Adam", "AdamW"),
    shared={"data": "abc"},
    metric="fitness",
    mode="max",
    epochs=4,
    first_seed=41,
)


def train(book: ComparisonLedger, means: dict[int, float | None], noise: float) -> list[tuple[int, int]]:
    """Train all that is handed out, until it is over."""
    order, generator = [], np.random.default_rng(0)
    while (pair := book.next_training(())) is not None:
        arm, place = pair
        mean = means[arm]
        value = None if mean is None else mean + generator.normal(0, noise)
        failure = "diverged" if mean is None else None
        seed = book.plan.seed(place)
        book.record(Training(trial=arm, place=place, seed=seed, value=value, epochs=4, failure=failure))
        order.append(pair)
    return order


def test_an_arm_that_is_through_is_trained_no_more(tmp_path: Path) -> None:
    book = ComparisonLedger(tmp_path / "c.json", PLAN, Rule())
    order = train(book, {0: 0.2, 1: 0.201, 2: 0.5}, noise=0.004)
    seeds = [sum(arm == each for each, _ in order) for arm in range(3)]
    assert seeds == [4, 4, 2]
    decision = book.decision()
    assert decision is not None
    assert decision.arms[2].standing == Standing.BETTER
    assert book.is_over()


def test_it_ends_where_the_seeds_end_and_more_go_on(tmp_path: Path) -> None:
    book = ComparisonLedger(tmp_path / "c.json", PLAN, Rule(most=4))
    assert len(train(book, {0: 0.2, 1: 0.2, 2: 0.2}, noise=0.05)) == 3 * 4
    book.ask(Rule(most=6))
    assert not book.is_over()
    assert len(train(book, {0: 0.2, 1: 0.2, 2: 0.2}, noise=0.05)) == 3 * 2


def test_a_lost_arm_is_trained_no_more(tmp_path: Path) -> None:
    book = ComparisonLedger(tmp_path / "c.json", PLAN, Rule())
    order = train(book, {0: 0.2, 1: None, 2: 0.2}, noise=0.05)
    assert [place for arm, place in order if arm == 1] == [0]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    book = ComparisonLedger(path, PLAN, Rule(most=3))
    train(book, {0: 0.2, 1: 0.3, 2: None}, noise=0.05)
    again = ComparisonLedger.read(path)
    assert again is not None
    assert (again.plan, again.rule, again.looks, again.trainings) == (book.plan, book.rule, book.looks, book.trainings)
    assert again.decision() == book.decision()


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("{}")
    with pytest.raises(InputError, match=r"c\.json is no comparison that this version can read"):
        ComparisonLedger.read(path)


def test_a_cost_that_decides_is_measured(files: SweepFiles) -> None:
    costly = replace(PLAN, metric="gflops", mode="min")
    assert costly.trial_config(common_plan(files.config(), costly, 0.0), 1, 0, None)["costs"] == ["gflops"]
    assert "costs" not in PLAN.trial_config(common_plan(files.config(), PLAN, 0.0), 1, 0, None)


def test_the_configuration_of_a_training() -> None:
    assert [PLAN.name(arm) for arm in PLAN.trials] == ["SGD", "Adam", "AdamW"]
    assert len({PLAN.number(arm, place) for arm in range(3) for place in range(5)}) == 15
