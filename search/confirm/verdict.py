"""The verdict on a sweep's winners, looked for after each round of seeds: pure in the values and the looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from search.confirm.compare import Comparison, Scores, compare
from search.confirm.spending import HALF_AT, error_at
from search.samplers.keys import START


class Verdict(StrEnum):
    """What is to be done with a sweep's winner."""

    PROMOTE = "promote"
    """A candidate is better than the default: the lower end of the best one's interval is above 0."""
    KEEP_DEFAULT = "keep default"
    """No candidate is better than the default by what is worth having."""
    UNDECIDED = "undecided"
    """The seeds do not tell."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When it is decided.

    Attributes:
        step:
            Seeds of the first round, at least 2: one says nothing of the noise.
        most:
            Seeds at most.
        smallest_gain:
            Gain in the metric below which a candidate is not worth having.
        error:
            Probability, over all looks that there may ever be, to promote where no candidate is better than the
            default; and to keep the default where a candidate is better by the smallest gain.
    """

    step: int = 2
    most: int = HALF_AT
    smallest_gain: float = 0.01
    error: float = 0.05

    def next_look(self, looks: Sequence[int]) -> int | None:
        """Seeds at the next look; None where there is none.

        ``step`` more, or half as many again where that is more: many small steps late would each have next to nothing
        of the error to spend.
        """
        done = looks[-1] if looks else 0
        return min(max(done + self.step, done + done // 2), self.most) if done < self.most else None


@dataclass(frozen=True)
class Decision:
    """What the looks say.

    Attributes:
        verdict:
            What to do.
        comparison:
            The look that decided, or the last one.
        look:
            Seeds of each hyp at that look.
        error:
            What that look was allowed of the error.
        trial:
            The trial that wins: the promoted one, or 0 where the default is kept; None while it is undecided.
    """

    verdict: Verdict
    comparison: Comparison
    look: int
    error: float
    trial: int | None

    @property
    def is_decided(self) -> bool:
        """Whether there is a verdict."""
        return self.verdict != Verdict.UNDECIDED


def decide(scores: Scores, looks: Sequence[int], rule: Rule) -> Decision:
    """The first look that decides, or the last.

    Args:
        scores:
            Values by trial; at least as many seeds as the last look has.
        looks:
            Seeds at each look, rising.
        rule:
            When it is decided.
    """
    for place in range(1, len(looks) + 1):
        decision = _look(scores, looks[:place], rule)
        if decision.is_decided:
            break
    return decision


def _look(scores: Scores, looks: Sequence[int], rule: Rule) -> Decision:
    error = error_at(looks, rule.error)
    seen = {trial: values[: looks[-1]] for trial, values in scores.items()}
    found = compare(seen, error)
    verdict, trial = _judge(seen, found, error, rule)
    return Decision(verdict, found, looks[-1], error, trial)


def _judge(seen: Scores, found: Comparison, error: float, rule: Rule) -> tuple[Verdict, int | None]:
    if len(found.lost) == len(seen) - 1:  # each candidate diverged
        return Verdict.KEEP_DEFAULT, START
    if found.best is None:
        return _without_default(seen, found, error)
    if found.gains[found.best].lower > 0:
        return Verdict.PROMOTE, found.best
    if all(gain.upper < rule.smallest_gain for gain in found.gains.values()):
        return Verdict.KEEP_DEFAULT, START
    return Verdict.UNDECIDED, None


def _without_default(seen: Scores, found: Comparison, error: float) -> tuple[Verdict, int | None]:
    """The default has no two values; only where it diverged each time, and a candidate never, does that tell enough.

    Were all alike and diverged with probability p, the default would always and a given candidate never with
    (p (1 - p))^n <= 4^-n.
    """
    rivals = {t: sum(v or 0.0 for v in values) for t, values in seen.items() if t != START and t not in found.lost}
    seeds = len(seen[START])
    if found.default_lost == seeds and len(rivals) * 0.25**seeds <= error:
        return Verdict.PROMOTE, max(rivals, key=lambda trial: (rivals[trial], -trial))
    return Verdict.UNDECIDED, None
