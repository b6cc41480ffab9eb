"""Who suggests the next trial: a rule of its own, so that a portfolio can change it without changing itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial
from pydantic import Field

from data_prep.errors import InputError
from data_prep.validation import FrozenModel
from search.samplers._rng import generator
from search.samplers.credit import rewards
from search.samplers.keys import AUTHOR_KEY

AllocationName = Literal["even", "credit"]

_WINDOW_HALF_LIVES = 3
"""Trials older than so many half-lives weigh less than 1/8 and are not looked at: that bounds a decision's cost."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_PRIOR_SUCCESSES = 2.0
"""New bests at the common rate that every member is credited with beforehand: one more of them may be luck."""


class CreditOptions(FrozenModel):
    """Options of the allocation ``credit``."""

    floor: float = Field(default=0.3, ge=0, le=1)
    """Smallest share of a member, as a part of the even share; 1 is even, 0 lets a member starve."""
    half_life: int = Field(default=50, ge=1)
    """After so many trials a trial's credit counts half."""


class Allocation(Protocol):
    """Chooses the member that suggests a trial. It is asked once for each trial; its answer is kept with the trial."""

    def author(self, members: Sequence[str], study: Study, number: int, seed: int) -> str:
        """Return the name of the member that suggests trial ``number``.

        It holds no state: what it wants to know of earlier trials it reads from the study.

        Args:
            members: Names to choose from, at least one, in the portfolio's order.
            study: The study, with the author of each earlier trial among its user attributes.
            number: Number of the trial.
            seed: The portfolio's seed; all that is random comes from it and ``number``.
        """
        ...


class EvenAllocation:
    """Gives every member one trial in each block of as many trials as there are members, in random order.

    Even in any short sweep, where independent draws could leave a member out, and in no fixed rhythm that
    could fall into step with the number of parallel slots.
    """

    def author(self, members: Sequence[str], study: Study, number: int, seed: int) -> str:  # noqa: ARG002
        """Return the member at the trial's place in the shuffled block."""
        block, place = divmod(number, len(members))
        order = generator(seed, block).permutation(len(members))
        return members[int(order[place])]


class CreditAllocation:
    """Gives members shares in proportion to how often they lately improved on the best known, and a floor to each.

    Probability matching. A trial's reward is 1 if it is a new best at an equal epoch, else 0 (``credit.rewards``),
    weighted by 0.5 to the power of its age in trials over ``half_life``. A member's rate is its weighted rewards over
    its weighted trials, drawn towards the rate of all as if it had had two new bests at that rate; so nobody is
    favoured before anything is known, or for one lucky trial. The share is ``floor / members`` plus a part of what is
    left in proportion to the rates. A member that had none of the newest ``2 * members / floor`` trials comes next.

    Everything is read from the newest trials (three half-lives), so a decision costs the same whatever the size of the
    study; the best known is the best among these.

    Args:
        floor: Smallest share of a member, as a part of the even share, 0 to 1.
        half_life: After so many trials a trial's reward counts half.

    Raises:
        InputError: A value out of its range.

    Source: Goldberg, "Probability matching, the magnitude of reinforcement, and classifier system bidding" (1990);
    Thierens, "An adaptive pursuit strategy for allocating operator probabilities" (2005), for the floor; Fialho,
    "Adaptive operator selection for optimization" (2010), for credit by comparison in place of differences.
    """

    def __init__(self, *, floor: float = 0.3, half_life: int = 50) -> None:
        if not 0 <= floor <= 1:
            raise InputError(f"floor is {floor}: give a part of the even share, 0 to 1.")
        if half_life < 1:
            raise InputError(f"half_life is {half_life}: give at least one trial.")
        self._floor = floor
        self._half_life = half_life

    def author(self, members: Sequence[str], study: Study, number: int, seed: int) -> str:
        """Return the member whose part of the unit interval the trial's point falls in, or one that waited too long."""
        trials = self._newest(study, number)
        waiting = self._starved(members, trials)
        if waiting is not None:
            return waiting
        shares = self._shares(members, trials, maximize=study.direction == StudyDirection.MAXIMIZE)
        # Multiples of the golden ratio fill the interval evenly, as independent draws would not in a short sweep.
        point = (generator(seed, "credit").random() + number * _GOLDEN) % 1.0
        borders = np.cumsum([shares[name] for name in members])
        return members[min(int(np.searchsorted(borders, point, side="right")), len(members) - 1)]

    def shares(self, members: Sequence[str], study: Study, number: int) -> dict[str, float]:
        """Return the share of each member when trial ``number`` is allotted; they add up to 1."""
        trials = self._newest(study, number)
        return self._shares(members, trials, maximize=study.direction == StudyDirection.MAXIMIZE)

    def _newest(self, study: Study, number: int) -> list[FrozenTrial]:
        """Return the trials before ``number`` that count, in order."""
        window = _WINDOW_HALF_LIVES * self._half_life
        return study.get_trials(deepcopy=False)[max(0, number - window) : number]

    def _shares(self, members: Sequence[str], trials: Sequence[FrozenTrial], *, maximize: bool) -> dict[str, float]:
        rates = self._rates(members, trials, maximize=maximize)
        total = sum(rates.values())
        least = self._floor / len(members)
        return {name: least + (1 - self._floor) * rate / total for name, rate in rates.items()}

    def _rates(self, members: Sequence[str], trials: Sequence[FrozenTrial], *, maximize: bool) -> Mapping[str, float]:
        """Return how often each member improved lately, drawn towards the rate of all; equal if nobody did."""
        won, tried = dict.fromkeys(members, 0.0), dict.fromkeys(members, 0.0)
        reward = rewards(trials, maximize=maximize)
        fade, weight = 0.5 ** (1 / self._half_life), 1.0
        for trial in reversed(trials):
            name = trial.user_attrs.get(AUTHOR_KEY)
            if name in won and trial.number in reward:
                won[name] += weight * reward[trial.number]
                tried[name] += weight
            weight *= fade
        wins, all_tried = sum(won.values()), sum(tried.values())
        if wins == 0:
            return dict.fromkeys(members, 1.0)
        prior = _PRIOR_SUCCESSES * all_tried / wins
        return {name: (won[name] + _PRIOR_SUCCESSES) / (tried[name] + prior) for name in members}

    def _starved(self, members: Sequence[str], trials: Sequence[FrozenTrial]) -> str | None:
        """Return a member with none of the newest trials, which can happen where authors are drawn."""
        if self._floor == 0:
            return None
        span = math.ceil(2 * len(members) / self._floor)
        recent = {trial.user_attrs.get(AUTHOR_KEY) for trial in trials[-span:]}
        return next((name for name in members if name not in recent), None) if len(trials) >= span else None


def allocation(name: AllocationName, credit: CreditOptions) -> Allocation:
    """Return the rule of that name."""
    return CreditAllocation(**credit.model_dump()) if name == "credit" else EvenAllocation()
