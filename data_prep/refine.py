"""Refines a cut in two by exchanging groups of pictures until every label has its share; whole numbers only.

Every sum and comparison is one of 64-bit integers, and every sort is stable, so the result is the same on any
machine: sums of floats depend on the order in which a processor's vector units add, and numpy's default sort
orders ties by what the processor offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from data_prep.errors import InputError

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: How much more the number of pictures weighs than a label that every picture carries.
_SIZE_WEIGHT = 4
#: Kinds of groups with the best prospects, per side, of which every pair is looked at in a step.
_CANDIDATES = 64
#: Bound on the steps of one search; 20 to 150 were enough for 2,000 to 118,000 pictures.
_MAX_STEPS = 1000
#: Stock of the empty group, which never runs out.
_PLENTY = 1 << 40
#: Cost of a step that is impossible; greater than all others, see :func:`_weights`.
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Problem:
    """Groups of pictures, of which some are to be chosen.

    Attributes:
        kinds:
            Shape ``(kinds, 1 + labels)``: pictures in a group, then how many of them carry each label. Groups that
            are equal in this are one kind. Kind 0 is the empty group: a move is an exchange with it.
        kind_of:
            Kind of every group, shape ``(groups,)``.
        stock:
            How many groups of each kind there are, shape ``(kinds,)``.
        weights:
            Weight of every column of ``kinds``, about inverse to its total.
        own:
            Cost of moving a group of each kind while everything has its share, shape ``(kinds,)``.
        target:
            How many pictures should be chosen.
        slack:
            By how many pictures the choice may miss the target for the sake of the labels.
        share:
            The target as a share of all pictures.
    """

    kinds: IntArray
    kind_of: IntArray
    stock: IntArray
    weights: IntArray
    own: IntArray
    target: int
    slack: int
    share: Fraction

    @property
    def sizes(self) -> IntArray:
        """Number of pictures of every kind."""
        return self.kinds[:, 0]


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """How good a choice is; the smaller the better.

    Attributes:
        excess:
            Pictures by which the choice misses the target beyond the slack.
        unevenness:
            Weighted sum of squares of what the columns are off their share.
    """

    excess: int
    unevenness: int


def make_problem(counts: IntArray, sizes: IntArray, target: int) -> Problem:
    """Put together what :func:`refine` needs.

    Args:
        counts:
            Pictures of each group that carry each label, shape ``(groups, labels)``.
        sizes:
            Pictures of each group, shape ``(groups,)``.
        target:
            How many pictures should be chosen, less than there are.

    Raises:
        InputError: There are more pictures than sums of 64 bits hold: millions in one group.
    """
    table = np.zeros((len(sizes) + 1, counts.shape[1] + 1), dtype=np.int64)  # row 0: the empty group
    table[1:, 0], table[1:, 1:] = sizes, counts
    kinds, kind_of = _distinct(table)
    stock = np.bincount(kind_of[1:], minlength=len(kinds))
    share = Fraction(target, int(sizes.sum())).limit_denominator(1000)
    weights = _weights(stock @ kinds, kinds.max(axis=0), share.denominator)
    own = share.denominator * np.einsum("kc,kc,c->k", kinds, kinds, weights)
    stock[0] = 2 * _PLENTY
    # One part in 200 is half of the one per cent that is promised; single pictures fit exactly.
    slack = 0 if sizes.max() == 1 else target // 200
    return Problem(kinds, kind_of[1:], stock, weights, own, target, slack, share)


def refine(problem: Problem, inside: BoolArray, order: IntArray) -> tuple[BoolArray, Score]:
    """Improve a choice of groups by moving one group or exchanging two, the best such step first.

    With :math:`c_l` pictures of label l among the chosen, :math:`T_l` in all and s the share, a step must lessen
    the sum over l of :math:`(c_l - s T_l)^2 / T_l`, where the number of pictures counts as one more label, of
    weight :data:`_SIZE_WEIGHT`. While more than ``slack`` pictures are too many or missing, every step comes nearer
    to the target, whatever it costs. A group larger than the target enters only when no other step is left.

    Args:
        problem:
            The groups.
        inside:
            The groups chosen so far, shape ``(groups,)``.
        order:
            A permutation of the groups: of equal ones, the first in it changes sides first.

    Returns:
        The groups chosen, and how good that is.
    """
    before = np.bincount(problem.kind_of[inside], minlength=len(problem.kinds))
    a, b = problem.share.as_integer_ratio()
    # By how much every column is off its share, times b, and how many pictures are too many.
    deviation = (b * before - a * problem.stock) @ problem.kinds
    error = int(before @ problem.sizes) - problem.target
    taken = before.copy()
    taken[0] = _PLENTY
    for _ in range(_MAX_STEPS):
        step = _best_step(problem, taken, deviation, error, problem.target)
        # A group larger than the target would bar the way to a nearer size, so it is the last resort.
        step = step or _best_step(problem, taken, deviation, error, int(problem.sizes.max()))
        if step is None:
            break
        out, into = step
        taken[out] -= 1
        taken[into] += 1
        deviation += b * (problem.kinds[into] - problem.kinds[out])
        error += int(problem.sizes[into] - problem.sizes[out])
    return _change_sides(problem, inside, order, taken - before), _score(problem, deviation, error)


def _distinct(table: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct rows in the order of their first appearance, and the index of every row among them."""
    index: dict[bytes, int] = {}
    row_of = np.array([index.setdefault(row.tobytes(), len(index)) for row in table], dtype=np.int64)
    _, first = np.unique(row_of, return_index=True)
    return table[first], row_of


def _weights(totals: IntArray, largest: IntArray, denominator: int) -> IntArray:
    """Return weights about inverse to the totals: as fine as sums of 64 bits allow.

    With b the denominator of the share, w the weights, m the largest counts of a group and T the totals, no
    deviation exceeds b T, and so no cost of a step ``8 b sum(w m T)``.
    """
    pictures = int(totals[0])
    for fineness in (16, 4, 1):
        weights = [max(1, fineness * pictures // max(1, total)) for total in totals.tolist()]
        weights[0] *= _SIZE_WEIGHT
        rows: Sequence[tuple[int, int, int]] = list(zip(weights, largest.tolist(), totals.tolist(), strict=True))
        if 8 * denominator * sum(weight * most * total for weight, most, total in rows) < _NEVER:
            return np.array(weights, dtype=np.int64)
    raise InputError(
        f"{pictures} pictures, {largest[0]} of them in one group, are more than a split can stratify; "
        "split them in parts or use smaller `groups`"
    )


def _best_step(
    problem: Problem, taken: IntArray, deviation: IntArray, error: int, largest: int
) -> tuple[int, int] | None:
    """Return the kind that leaves the choice and the kind that enters it; None where nothing is better.

    Args:
        problem:
            The groups.
        taken:
            How many of each kind are chosen.
        deviation:
            By how much every column is off its share, times the share's denominator.
        error:
            How many pictures are too many.
        largest:
            Size of the largest group that may enter.
    """
    pull = 2 * (problem.kinds @ (problem.weights * deviation))
    leave = np.where(taken > 0, problem.own - pull, _NEVER)
    enter = np.where((taken < problem.stock) & (problem.sizes <= largest), problem.own + pull, _NEVER)
    outs, ins = _candidates(leave, problem.sizes), _candidates(enter, problem.sizes)
    shared = (problem.kinds[outs] * problem.weights) @ problem.kinds[ins].T
    cost = leave[outs][:, None] + enter[ins] - 2 * problem.share.denominator * shared
    errors = np.abs(error - problem.sizes[outs][:, None] + problem.sizes[ins])
    cost[errors > max(problem.slack, abs(error) - 1)] = _NEVER
    best = int(cost.argmin())  # the first of several: no chance in ties
    if cost.flat[best] >= (0 if abs(error) <= problem.slack else _NEVER):
        return None
    return int(outs[best // len(ins)]), int(ins[best % len(ins)])


def _candidates(cost: IntArray, sizes: IntArray) -> IntArray:
    """Return the kinds with the lowest cost, and the best of every size, so that the target can be met."""
    order = np.argsort(cost, kind="stable")
    _, best_of_size = np.unique(sizes[order], return_index=True)
    found = order[np.union1d(np.arange(min(_CANDIDATES, len(order))), best_of_size)]
    return found[cost[found] < _NEVER]


def _change_sides(problem: Problem, inside: BoolArray, order: IntArray, change: IntArray) -> BoolArray:
    """Choose ``change`` more groups of every kind (fewer, where negative)."""
    result = inside.copy()
    for kind in np.flatnonzero(change[1:]) + 1:
        members = np.flatnonzero((problem.kind_of == kind) & (inside == (change[kind] < 0)))
        first = members[np.argsort(order[members], kind="stable")][: abs(change[kind])]
        result[first] = change[kind] > 0
    return result


def _score(problem: Problem, deviation: IntArray, error: int) -> Score:
    # Python's integers: squares of what a hopeless choice is off may not fit 64 bits.
    columns = zip(problem.weights.tolist(), deviation.tolist(), strict=True)
    return Score(max(0, abs(error) - problem.slack), sum(weight * off * off for weight, off in columns))
