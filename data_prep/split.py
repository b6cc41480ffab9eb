"""Splits records so that every stratification label has the same share on both sides; pure in its input.

The stratification is that of Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data"
(2011), by the iterative-stratification package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

from data_prep.errors import InputError
from data_prep.labels import BinsByClass, count_labels, indicator_matrix
from data_prep.records import ImageRecord


class Split(StrEnum):
    """The splits of a prepared data set, named as their folders."""

    TRAIN = "train"
    VALID = "valid"
    MINI_TRAIN = "mini_train"
    FULL = "full"
    TEST = "test"


#: Folder names by the key of a stock ``data.yaml``.
FOLDER_OF_KEY: Mapping[str, Split] = {"train": Split.TRAIN, "val": Split.VALID, "test": Split.TEST}

Records = tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class Fractions:
    """Shares of the splits, each between 0 and 1.

    Attributes:
        valid:
            Share of all pictures that go to ``valid``.
        mini:
            Share of ``train`` that goes to ``mini_train``.
    """

    valid: float = 0.2
    mini: float = 0.5


def split(records: Sequence[ImageRecord], fractions: Fractions, seed: int, bins: BinsByClass) -> dict[Split, Records]:
    """Split by class and box count; the same input gives the same output on any machine.

    Args:
        records:
            Pictures in any order; keys must be unique.
        fractions:
            Shares of the splits.
        seed:
            Seed of the stratification.
        bins:
            Thresholds of the box count for every class id.

    Returns:
        ``train`` and ``valid`` (a partition), ``mini_train`` (part of train), ``full`` (both), each sorted by
        key.

    Raises:
        InputError: There are too few pictures for the fractions.
    """
    train, valid = stratified_halves(records, 1 - fractions.valid, seed, bins)
    return _with_derived(train, valid, fractions, seed, bins)


def keep(records: Sequence[ImageRecord], fractions: Fractions, seed: int, bins: BinsByClass) -> dict[Split, Records]:
    """Like :func:`split`, with the train and val that the raw data came with.

    Raises:
        InputError: The raw data has no own train or val, or too few pictures for the mini set.
    """
    own = {key: tuple(record for record in records if record.source_split == key) for key in ("train", "val")}
    for key, members in own.items():
        if not members:
            raise InputError(f"the source has no `{key}` split of its own; set `keep_splits: false`")
    return _with_derived(own["train"], own["val"], fractions, seed, bins)


def stratified_halves(
    records: Sequence[ImageRecord], share: float, seed: int, bins: BinsByClass
) -> tuple[Records, Records]:
    """Cut records in two, the first holding ``share`` of them and of every label, both sorted by key.

    The share of the second half is written as a / b with b <= 100; it gets the first a of b stratified folds.
    So 0.2 is fold 0 of 5.

    Raises:
        InputError: There are fewer pictures than folds.
    """
    ordered = sorted(records, key=lambda record: record.key)
    # 1 - 0.8 is not 0.2 in binary; the limit on the denominator restores it.
    ratio = Fraction(1 - share).limit_denominator(100)
    if len(ordered) < ratio.denominator or not 0 < ratio < 1:
        raise InputError(
            f"{len(ordered)} pictures are too few for a share of {float(ratio):.2f}; "
            "add pictures or change `valid_fraction` or `mini_fraction`"
        )
    matrix = indicator_matrix([count_labels(record, bins) for record in ordered])
    folds = MultilabelStratifiedKFold(n_splits=ratio.denominator, shuffle=True, random_state=seed)
    in_second = np.zeros(len(ordered), dtype=np.bool_)
    for fold, (_, members) in enumerate(folds.split(matrix, matrix)):
        if fold < ratio.numerator:
            in_second[members] = True
    first = tuple(record for record, other in zip(ordered, in_second, strict=True) if not other)
    second = tuple(record for record, other in zip(ordered, in_second, strict=True) if other)
    return first, second


def _with_derived(
    train: Records, valid: Records, fractions: Fractions, seed: int, bins: BinsByClass
) -> dict[Split, Records]:
    _, mini = stratified_halves(train, 1 - fractions.mini, seed, bins)
    found = {Split.TRAIN: train, Split.VALID: valid, Split.MINI_TRAIN: mini, Split.FULL: (*train, *valid)}
    return {name: tuple(sorted(members, key=lambda record: record.key)) for name, members in found.items()}
