"""Chooses a share of the pictures so that every label has the same share in it; groups stay whole.

A first choice is that of Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data" (2011), by
the iterative-stratification package, with a group as one sample; :mod:`data_prep.refine` improves it. The package
computes in float64, but only by single multiplications and subtractions, which are exact by IEEE 754 on any
machine, and draws from numpy's ``RandomState``, whose stream is frozen (NEP 19).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from data_prep.labels import Labels
from data_prep.refine import BoolArray, IntArray, make_problem, refine

#: Most folds of the first choice; finer shares are left to the refinement.
_MAX_FOLDS = 20
#: With few groups a search gets stuck, and is cheap: it starts this often anew ...
_MAX_STARTS = 64
#: ... as long as it has not looked at more than this many groups in all.
_STARTED_GROUPS = 16_384


def choose(labels: Sequence[Labels], groups: Sequence[int], target: int, seed: int) -> BoolArray:
    """Choose about ``target`` pictures, in whole groups, with the labels evenly shared.

    Args:
        labels:
            Labels of every picture.
        groups:
            Group of every picture; which numbers they have does not matter.
        target:
            How many pictures to choose, more than none and less than all.
        seed:
            Seed of the first choice.

    Returns:
        Whether each picture is chosen. As many as asked for where every picture is its own group; else within
        0.5 % where the groups allow it, or as near as was found.
    """
    if 2 * target > len(labels):
        return ~choose(labels, groups, len(labels) - target, seed)
    numbers: dict[int, int] = {}
    group_of = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
    counts, sizes = _count(labels, group_of)
    problem = make_problem(counts, sizes, target)
    random = np.random.RandomState(seed)
    inside = _first_choice(counts > 0, problem.share, seed)
    best, best_score = refine(problem, inside, random.permutation(len(sizes)))
    for _ in range(min(_MAX_STARTS, _STARTED_GROUPS // len(sizes)) - 1):
        order = random.permutation(len(sizes))
        found, score = refine(problem, order < int(problem.share * len(sizes)), order)
        if score < best_score:
            best, best_score = found, score
    return best[group_of]


def _count(labels: Sequence[Labels], group_of: IntArray) -> tuple[IntArray, IntArray]:
    """Return the pictures of each group with each label, labels sorted, and the pictures of each group."""
    columns = {label: column for column, label in enumerate(sorted(set().union(*labels)))}
    rows = np.repeat(group_of, [len(present) for present in labels])
    cells = rows * len(columns) + [columns[label] for present in labels for label in present]
    sizes = np.bincount(group_of)
    counts = np.bincount(cells, minlength=len(sizes) * len(columns))
    return counts.reshape(len(sizes), len(columns)), sizes


def _first_choice(present: BoolArray, share: Fraction, seed: int) -> BoolArray:
    """Return the first a of b stratified folds, a / b being close to the share; so 0.2 is fold 0 of 5."""
    near = share.limit_denominator(min(_MAX_FOLDS, len(present)))
    inside = np.zeros(len(present), dtype=np.bool_)
    if near == 0:
        return inside
    # scikit-learn takes a matrix of one column for a plain vector: an empty one is added.
    matrix = np.column_stack([present, inside])
    folds = MultilabelStratifiedKFold(n_splits=near.denominator, shuffle=True, random_state=seed)
    for _, (_, members) in zip(range(near.numerator), folds.split(matrix, matrix), strict=False):
        inside[members] = True
    return inside
