"""One look: every candidate against the default, over the same seeds, with one variance for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from search.confirm.dunnett import critical_value
from search.samplers.keys import START

Scores = Mapping[int, Sequence[float | None]]
"""By trial number (trial 0 is the default) its value with each seed, the same seeds for all; None: it diverged.

More is better here: a metric of which less is better comes with its sign turned.
"""


@dataclass(frozen=True)
class Gain:
    """How a candidate stands against the default.

    Attributes:
        gain:
            Difference of the means over the seeds.
        lower:
            Lower end of its interval, for all candidates at once: the best of them may be looked at alone.
        upper:
            Upper end, for this candidate by itself: it serves the claim that each of them is below a value, for which
            none needs a correction (R. L. Berger, Technometrics 24 (1982), 295-300).
    """

    gain: float
    lower: float
    upper: float

    def both_ends(self) -> Gain:
        """The same with an upper end that holds for all candidates at once, too: by symmetry as far from the gain."""
        return Gain(self.gain, self.lower, 2 * self.gain - self.lower)


@dataclass(frozen=True)
class Comparison:
    """What one look says.

    Attributes:
        seeds:
            How many seeds enter it: those with which the default did not diverge.
        gains:
            The candidates that never diverged, by trial number; empty where fewer than two seeds are left.
        lost:
            Candidates that diverged, and with how many seeds: they are out.
        default_lost:
            With how many seeds the default diverged.
        sd:
            Standard deviation of one training, hyp and seed taken away, pooled over all; None where there are no gains.
        freedom:
            Its degrees of freedom, (rows - 1)(seeds - 1).
    """

    seeds: int
    gains: Mapping[int, Gain]
    lost: Mapping[int, int]
    default_lost: int = 0
    sd: float | None = None
    freedom: int = 0

    @property
    def best(self) -> int | None:
        """The candidate with the highest mean; of equal ones the one with the smaller number."""
        return max(self.gains, key=lambda trial: (self.gains[trial].gain, -trial), default=None)


def compare(scores: Scores, error: float, family: int | None = None) -> Comparison:
    """Compare every candidate with the default.

    value(hyp, seed) = hyp + seed + noise, a randomised block design: each seed is a block, so what a seed does to all
    hyps alike is taken out. It costs one degree of freedom a seed and holds whether seeds matter or not. A test first
    whether they do would spoil the error rate.

    Seeds with which the default diverged are left out for all: in its favour, so that it does not raise the rate at
    which a candidate that is no better wins.

    Args:
        scores:
            The values; at least the default's.
        error:
            One-sided error of each end of an interval.
        family:
            For how many candidates at once a lower end holds; None takes those that are given.
    """
    default = scores[START]
    lost = {trial: _diverged(values) for trial, values in scores.items() if trial != START and None in values}
    kept = [place for place, value in enumerate(default) if value is not None]
    rivals = [trial for trial in scores if trial != START and trial not in lost]
    if len(kept) < 2 or not rivals:
        return Comparison(len(kept), {}, lost, _diverged(default))
    table = np.array([[scores[trial][place] for place in kept] for trial in (START, *rivals)], dtype=float)
    sd, freedom = _noise(table)
    gains = table[1:].mean(1) - table[0].mean()
    width = sd * np.sqrt(2 / len(kept))
    below = width * critical_value(family or len(rivals), freedom, error)
    above = width * stats.t.ppf(1 - error, freedom)
    found = {t: Gain(float(g), float(g - below), float(g + above)) for t, g in zip(rivals, gains, strict=True)}
    return Comparison(len(kept), found, lost, _diverged(default), sd, freedom)


def _noise(table: np.ndarray) -> tuple[float, int]:
    """Standard deviation of what hyps and seeds leave of ``table``, shape (hyps, seeds), and its degrees of freedom."""
    rest = table - table.mean(1, keepdims=True) - table.mean(0, keepdims=True) + table.mean()
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    return float(np.sqrt((rest**2).sum() / freedom)), freedom


def _diverged(values: Sequence[float | None]) -> int:
    return sum(value is None for value in values)
