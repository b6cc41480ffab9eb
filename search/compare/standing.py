"""How each arm stands beside the reference, looked for after each round of seeds: pure in the values and the looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from search.confirm.compare import Comparison, Gain, Scores, compare
from search.confirm.spending import error_at
from search.confirm.verdict import Rule
from search.samplers.keys import START


class Standing(StrEnum):
    """How an arm stands beside the reference."""

    BETTER = "better"
    """The interval of its gain lies above 0."""
    WORSE = "worse"
    """The interval lies below 0."""
    SAME = "same"
    """The interval lies within the smallest difference that matters, above and below 0."""
    UNDECIDED = "undecided"
    """The seeds do not tell."""
    NO_REFERENCE = "no reference"
    """The reference itself was lost with a seed: nothing is compared with what cannot be trained."""
    LOST = "lost"
    """A training diverged or found no memory; the arm is out."""

    @property
    def is_final(self) -> bool:
        """Whether the arm needs no more seeds."""
        return self != Standing.UNDECIDED


@dataclass(frozen=True)
class ArmStanding:
    """How one arm stands.

    Attributes:
        standing:
            In a word.
        gain:
            Difference of the means over the same seeds, with its interval; None where it has none.
    """

    standing: Standing
    gain: Gain | None = None


@dataclass(frozen=True)
class ComparisonDecision:
    """What the looks say.

    Attributes:
        arms:
            How each arm but the reference stands, by its number.
        sd:
            Standard deviation of one training at the last look, arm and seed taken away; None where nothing was
            compared.
        trial:
            None: no arm's checkpoint is of more use than another's.
    """

    arms: Mapping[int, ArmStanding]
    sd: float | None = None
    trial: None = None

    @property
    def is_decided(self) -> bool:
        """Whether no arm needs more seeds."""
        return all(arm.standing.is_final for arm in self.arms.values())


def stand(scores: Scores, looks: Sequence[int], rule: Rule) -> ComparisonDecision:
    """How the arms stand after the looks of which all is trained.

    An arm is through at the first look that tells; those that are left are compared over more seeds. Each interval
    holds for all arms, both ends and all looks at once: half of a look's error for each end, Dunnett's factor for the
    number of arms that there were at first, whoever is through already.

    Args:
        scores:
            Values by arm, 0 the reference; arms that are through have fewer.
        looks:
            Seeds at each look, rising.
        rule:
            When an arm is through. Its error is two-sided here: the probability that any arm is called better, or
            worse, and is not.
    """
    rivals = [arm for arm in scores if arm != START]
    found = {arm: ArmStanding(Standing.UNDECIDED) for arm in rivals}
    sd = None
    for place, look in enumerate(looks, 1):
        open_ = [arm for arm in rivals if not found[arm].standing.is_final]
        if not open_ or not _is_trained(scores, open_, look):
            break
        seen = {arm: scores[arm][:look] for arm in (START, *open_)}
        compared = compare(seen, error_at(looks[:place], rule.error) / 2, len(rivals))
        found |= {arm: _judge(compared, arm, rule.smallest_gain) for arm in open_}
        sd = compared.sd or sd
    return ComparisonDecision(found, sd)


def _is_trained(scores: Scores, arms: Sequence[int], look: int) -> bool:
    """Whether the reference and the arms have a value for each seed of a look; one that was lost has none to come."""
    return len(scores[START]) >= look and all(len(scores[arm]) >= look or None in scores[arm] for arm in arms)


def _judge(compared: Comparison, arm: int, smallest: float) -> ArmStanding:
    if arm in compared.lost:
        return ArmStanding(Standing.LOST)
    if compared.default_lost:  # seeds with which the reference was lost would be left out in its favour
        return ArmStanding(Standing.NO_REFERENCE)
    if arm not in compared.gains:
        return ArmStanding(Standing.UNDECIDED)
    gain = compared.gains[arm].both_ends()
    if gain.lower > 0:
        return ArmStanding(Standing.BETTER, gain)
    if gain.upper < 0:
        return ArmStanding(Standing.WORSE, gain)
    within = -smallest < gain.lower and gain.upper < smallest
    return ArmStanding(Standing.SAME if within else Standing.UNDECIDED, gain)
