"""Which trial is taken, decided or not, and how it is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from search.confirm.result import Confirmation, Row
from search.confirm.undecided import Undecided
from search.confirm.verdict import Verdict
from search.confirm.winner import confirmed_line


def row(trial: int, mean: float | None, lost: int = 0) -> Row:
    return Row(trial, 0.1, 2, mean, 0.01, None, None, None, lost)


def undecided(*means: float | None, lost: int | None = None, sign: float = 1.0) -> Confirmation:
    """One with the default and candidates 1, 2, ... that have these means; one may be lost; each has a checkpoint."""
    rows = tuple(row(trial, mean, int(trial == lost)) for trial, mean in enumerate(means))
    return Confirmation(
        run_dir=Path("run"),
        verdict=Verdict.UNDECIDED,
        trial=None,
        metric="fitness",
        epochs=9,
        look=2,
        smallest_gain=0.01,
        sd=0.1,
        rows=rows,
        ranks=(),
        failures=(),
        next_command="more",
        checkpoint=None,
        checkpoints={each.trial: f"checkpoint {each.trial}" for each in rows},
        sign=sign,
    )


@pytest.mark.parametrize(
    ("found", "leader"),
    [
        (undecided(0.2, 0.1, 0.3), 2),
        (undecided(0.2, 0.1), 0),
        (undecided(0.2, 0.2), 0),  # the default where nothing is better
        (undecided(None, 0.1, 0.2), 2),  # the default diverged
        (undecided(0.3, 0.1, 0.2, lost=0), 2),  # with one of its seeds
        (undecided(0.2, 0.1, 0.3, lost=2), 0),
        (undecided(0.2, 0.1, 0.3, sign=-1.0), 1),  # less is better
        (undecided(None), 0),
    ],
)
def test_the_leader_has_the_best_mean_and_was_never_lost(found: Confirmation, leader: int) -> None:
    assert found.leader == leader


def test_where_it_is_undecided_one_may_be_taken_all_the_same() -> None:
    found = undecided(0.1, 0.2, 0.3)
    assert found.settled(Undecided.STOP) is found
    best, default = found.settled(Undecided.BEST), found.settled(Undecided.DEFAULT)
    assert (best.trial, best.checkpoint, best.verdict) == (2, "checkpoint 2", Verdict.UNDECIDED)
    assert (default.trial, default.checkpoint) == (0, "checkpoint 0")
    assert (
        confirmed_line(best)
        == "Undecided after 2 seeds whether a hyp beats the default: trial 2 was taken for its mean."
    )
    assert confirmed_line(default).endswith("the default hyp was taken.")
    assert confirmed_line(found).startswith("Not confirmed")


def test_what_is_decided_stays() -> None:
    found = dataclasses.replace(undecided(0.1, 0.3), verdict=Verdict.KEEP_DEFAULT, trial=0, checkpoint="checkpoint 0")
    assert all(found.settled(choice) is found for choice in Undecided)
