"""How the error rate is spent over the looks: whoever looks until it is decided, is wrong more often than at each look.

K. K. G. Lan and D. L. DeMets, "Discrete Sequential Boundaries for Clinical Trials", Biometrika 70 (1983), 659-663: a
look may use what a spending function has gained since the look before, whenever looks are taken; by Bonferroni's
inequality the sum bounds the error of all of them, however they depend on each other. Theirs spends everything at a
planned end. Here nobody knows the end, because an undecided user may add seeds: the function starts as the square of
Kim and DeMets (Biometrika 74 (1987), 149-154) and never reaches 1.
"""

from __future__ import annotations

from collections.abc import Sequence

HALF_AT = 6
"""Seeds at which half of the error is spent: what ``hypsweep confirm`` goes to unless told otherwise."""


def spent(seeds: int) -> float:
    """Share of the error that is spent when so many seeds were looked at, in [0, 1): n^2 / (n^2 + 6^2)."""
    return seeds**2 / (seeds**2 + HALF_AT**2)


def error_at(looks: Sequence[int], error: float) -> float:
    """What the last look may use.

    Args:
        looks:
            Seeds at each look so far, rising.
        error:
            What all looks together may use.
    """
    return error * (spent(looks[-1]) - (spent(looks[-2]) if len(looks) > 1 else 0.0))
