"""Non-dominated sorting: which of several trials stand first where there is more than one goal. Pure functions.

One trial dominates another if it is nowhere worse and somewhere better. Those that nobody dominates are the first
front; without them, the next ones are the second, and so on. Within a front the lonely ones come first, by the crowding
distance of NSGA-II (Deb et al. 2002, https://doi.org/10.1109/4235.996017, sections III-A and III-B); that this order
serves successive halving is shown by Schmucker et al. 2021 (https://arxiv.org/abs/2106.12639).

Losses have the shape (trials, goals), all finite; less is better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]


def preference(losses: Losses) -> NDArray[np.intp]:
    """The order of preference.

    By front; within one by crowding distance, the largest first; then by the first goal, the second and so on; equal
    ones in the order in which they stand. So among the ends of a front, which are infinitely lonely, the best of the
    first goal comes first, and of several trials with the same losses all but one are in a crowd.

    Args:
        losses:
            Shape (trials, goals).

    Returns:
        Shape (trials,): places in ``losses``, the most preferred first.
    """
    fronts = ranks(losses)
    distances = np.zeros(len(losses))
    for front in range(fronts.max(initial=-1) + 1):
        here = np.flatnonzero(fronts == front)
        distances[here] = crowding(losses[here])
    order: NDArray[np.intp] = np.lexsort((*losses.T[::-1], -distances, fronts))
    return order


def ranks(losses: Losses) -> NDArray[np.intp]:
    """The front of each trial, 0 for the first."""
    unique, place = np.unique(losses, axis=0, return_inverse=True)
    found = np.zeros(len(unique), dtype=np.intp)
    left, front = np.arange(len(unique)), 0
    while left.size:
        leading = _first_front(unique[left])
        found[left[leading]] = front
        left, front = left[~leading], front + 1
    return found[place.reshape(-1)]


def crowding(losses: Losses) -> Losses:
    """The crowding distance of each trial of one front.

    For each goal the gap between a trial's neighbours, as a part of the range, summed over the goals; infinite at both
    ends of a goal. Goals in which all are equal do not count. Of trials with the same losses the first has the
    distance of one trial, the others have 0.
    """
    unique, first = np.unique(losses, axis=0, return_index=True)
    distances = np.zeros(len(unique))
    for column in unique.T:
        order = np.argsort(column, kind="stable")
        ranked = column[order]
        span = ranked[-1] - ranked[0]
        if span > 0:
            distances[order[1:-1]] += (ranked[2:] - ranked[:-2]) / span
            distances[column == ranked[0]] = np.inf
            distances[column == ranked[-1]] = np.inf
    found = np.zeros(len(losses))
    found[first] = distances
    return found


def _first_front(unique: Losses) -> NDArray[np.bool_]:
    """Which rows nobody dominates; they are unique and in lexical order, so no row dominates an earlier one."""
    leading = np.zeros(len(unique), dtype=bool)
    left = np.arange(len(unique))
    while left.size:
        head = left[0]
        leading[head] = True
        left = left[(unique[left] < unique[head]).any(axis=1)]
    return leading
