"""Who suggests the next trial: a rule of its own, so that a portfolio can change it without changing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from optuna.study import Study

from search.samplers._rng import generator


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
