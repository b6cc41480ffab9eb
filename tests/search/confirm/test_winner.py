"""Which trial is taken, decided or not, and how it is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from search.confirm.result import Confirmation, Row
from search.confirm.undecided import Undecided
from search.confirm.verdict import Verdict
from search.confirm.winner import confirmed_line


def row(trial: int, gain: float | None) -> Row:
    return Row(trial, 0.1, 2, 0.2, 0.01, gain, None if gain is None else gain - 1, None, 0)


def undecided(*gains: float | None) -> Confirmation:
    """One with the default and candidates 1, 2, ... that gain so much; each has a checkpoint."""
    rows = (row(0, None), *(row(trial, gain) for trial, gain in enumerate(gains, 1)))
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
    )


@pytest.mark.parametrize(
    ("gains", "leader"), [((0.1, 0.3, 0.2), 2), ((-0.1, -0.2), 0), ((None, 0.1), 2), ((0.0,), 0), ((), 0)]
)
def test_the_leader_gains_most_or_is_the_default(gains: tuple[float | None, ...], leader: int) -> None:
    assert undecided(*gains).leader == leader


def test_where_it_is_undecided_one_may_be_taken_all_the_same() -> None:
    found = undecided(0.1, 0.3)
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
