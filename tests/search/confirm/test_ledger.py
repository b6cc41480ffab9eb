from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import InputError
from search.confirm.ledger import Ledger
from search.confirm.plan import ConfirmPlan
from search.confirm.seed_ledger import Training
from search.confirm.verdict import Rule, Verdict

PLAN = ConfirmPlan(
    params={0: {"momentum": 0.9}, 7: {"momentum": 0.8}, 3: {"momentum": 0.7}},
    swept={0: 0.2, 7: 0.25, 3: 0.24},
    metric="fitness",
    mode="max",
    epochs=4,
    first_seed=41,
)


def ledger(tmp_path: Path, rule: Rule | None = None, plan: ConfirmPlan = PLAN) -> Ledger:
    return Ledger(tmp_path / "confirm.json", plan, rule or Rule())


def train(book: Ledger, means: dict[int, float | None], noise: float = 0.0) -> list[tuple[int, int]]:
    """Train all that is handed out, until it is over."""
    order, generator = [], np.random.default_rng(0)
    while (pair := book.next_training(())) is not None:
        trial, place = pair
        mean = means[trial]
        value = None if mean is None else mean + generator.normal(0, noise)
        seed, failure = book.plan.seed(place), "diverged" if mean is None else None
        book.record(Training(trial=trial, place=place, seed=seed, value=value, epochs=4, failure=failure))
        order.append(pair)
    return order


def test_each_hyp_gets_the_same_seeds_round_by_round(tmp_path: Path) -> None:
    order = train(ledger(tmp_path), {0: 0.2, 7: 0.2, 3: 0.2}, noise=0.05)
    assert order == [(trial, place) for place in range(6) for trial in (0, 7, 3)]
    assert [PLAN.seed(place) for place in range(3)] == [41, 42, 43]
    assert len({PLAN.number(*pair) for pair in order}) == len(order)


def test_it_ends_with_the_round_that_decides(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    assert len(train(book, {0: 0.2, 7: 0.5, 3: 0.3}, noise=1e-4)) == 2 * 3
    decision = book.decision()
    assert decision is not None
    assert (decision.verdict, decision.trial) == (Verdict.PROMOTE, 7)
    assert book.is_over()


def test_a_candidate_that_was_lost_is_trained_no_more(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    order = train(book, {0: 0.2, 7: None, 3: 0.2}, noise=0.05)
    assert [place for trial, place in order if trial == 7] == [0]
    assert len(order) == 1 + 2 * 6


def test_what_is_at_work_is_not_handed_out_again(tmp_path: Path) -> None:
    book, at_work = ledger(tmp_path), []
    while (pair := book.next_training(at_work)) is not None:
        at_work.append(pair)
    assert at_work == [(trial, place) for place in range(2) for trial in (0, 7, 3)]
    assert book.decision() is None
    assert not book.is_over()


def test_it_goes_on_from_the_file_at_any_moment(tmp_path: Path) -> None:
    """After every single training another process reads the file: nothing is lost and nothing trained twice."""
    book, seen = ledger(tmp_path), []
    while (pair := book.next_training(())) is not None:
        value = 0.2 + 0.03 * np.sin(5.0 * pair[0] + 7.0 * pair[1])
        book.record(Training(trial=pair[0], place=pair[1], seed=PLAN.seed(pair[1]), value=float(value), epochs=4))
        seen.append(pair)
        again = Ledger.read(book.path)
        assert again is not None
        assert (again.plan, again.rule, again.looks) == (book.plan, book.rule, book.looks)
        assert again.trainings == book.trainings
        book = again
    assert len(seen) == len(set(seen)) == 18


def test_more_seeds_go_on_and_do_not_undo_what_was_looked_at(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    train(book, {0: 0.2, 7: 0.2, 3: 0.2}, noise=0.05)
    book.ask(Rule(step=3, most=12))
    assert not book.is_over()
    train(book, {0: 0.2, 7: 0.2, 3: 0.2}, noise=0.05)
    assert book.looks == (2, 4, 6, 9, 12)


def test_less_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    plan = ConfirmPlan(**{**vars(PLAN), "mode": "min"})
    book = ledger(tmp_path, plan=plan)
    train(book, {0: 0.5, 7: 0.2, 3: 0.6}, noise=1e-4)
    decision = book.decision()
    assert decision is not None
    assert (decision.verdict, decision.trial) == (Verdict.PROMOTE, 7)


def test_without_a_candidate_there_is_nothing_to_train(tmp_path: Path) -> None:
    book = ledger(tmp_path, plan=ConfirmPlan(**{**vars(PLAN), "params": {0: {}}}))
    assert book.is_over()
    assert book.next_training(()) is None


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "plan": {"hyps": []}}', '{"format": 2}', "[]"])
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "confirm.json").write_text(text)
    with pytest.raises(InputError, match=r"confirm.json is no confirmation.*move it away"):
        Ledger.read(tmp_path / "confirm.json")
