"""Splits records so that every stratification label has the same share on both sides; pure in its input.

The same records, settings, groups and seed give the same splits on any machine, in whatever order they come.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

import numpy as np

from data_prep.errors import InputError
from data_prep.labels import Labels, Stratification, labels_of
from data_prep.records import ImageRecord
from data_prep.stratify import choose


class Split(StrEnum):
    """The splits of a prepared data set, named as their folders; ``gold`` is train without silver labels."""

    TRAIN = "train"
    VALID = "valid"
    MINI_TRAIN = "mini_train"
    FULL = "full"
    TEST = "test"
    GOLD = "gold"


#: Folder names by the key of a stock ``data.yaml``.
FOLDER_OF_KEY: Mapping[str, Split] = {"train": Split.TRAIN, "val": Split.VALID, "test": Split.TEST}

Records = tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class Fractions:
    """Shares of the splits, each between 0 and 1.

    Attributes:
        valid:
            Share of the pictures that go to ``valid``, those of ``test`` not counted.
        mini:
            Share of ``train`` that goes to ``mini_train``.
        test:
            Share of all pictures that go to ``test``, taken first; 0 for none.
    """

    valid: float = 0.2
    mini: float = 0.5
    test: float = 0.0

    @property
    def shares(self) -> dict[Split, float]:
        """Share of each split in what it is a part of: train and valid together, train, or all."""
        shares = {Split.TRAIN: 1 - self.valid, Split.VALID: self.valid, Split.MINI_TRAIN: self.mini}
        return shares | ({Split.TEST: self.test} if self.test > 0 else {})


@dataclass(frozen=True, slots=True)
class _Sample:
    """A picture with what a split looks at."""

    record: ImageRecord
    labels: Labels
    group: int


def split(
    records: Sequence[ImageRecord],
    fractions: Fractions,
    seed: int,
    stratification: Stratification,
    names: Sequence[str],
    groups: Sequence[int] | None = None,
) -> dict[Split, Records]:
    """Split anew; a group of pictures is never torn between ``train``, ``valid`` and ``test``.

    Args:
        records:
            Pictures in any order; keys must be unique.
        fractions:
            Shares of the splits.
        seed:
            Seed of the stratification.
        stratification:
            By which labels.
        names:
            Class names.
        groups:
            Group of every record, see :func:`data_prep.groups.group_records`; None: each is alone.

    Returns:
        ``train``, ``valid`` and, where asked for, ``test`` (a partition), ``mini_train`` (part of train) and
        ``full`` (train and valid), each sorted by key.

    Raises:
        InputError: There are too few pictures or groups for the fractions.
    """
    pool = _samples(records, stratification, names, groups)
    test: list[_Sample] = []
    if fractions.test > 0:
        test, pool = _cut(pool, fractions.test, seed, "test_fraction")
    valid, train = _cut(pool, fractions.valid, seed, "valid_fraction")
    found = _with_derived(train, valid, fractions, seed)
    return found | ({Split.TEST: _records(test)} if test else {})


def keep(
    records: Sequence[ImageRecord],
    fractions: Fractions,
    seed: int,
    stratification: Stratification,
    names: Sequence[str],
    groups: Sequence[int] | None = None,
) -> dict[Split, Records]:
    """Like :func:`split`, with the train and val that the raw data came with; groups do not change these.

    Raises:
        InputError: A picture is in neither train nor val, one of these is empty, there are too few pictures for
            the mini set, or a share of ``test`` is asked for.
    """
    if fractions.test > 0:
        raise InputError("`test_fraction` splits anew and `keep_splits` does not; remove one of them")
    pool = _samples(records, stratification, names, groups)
    own = {key: [sample for sample in pool if sample.record.source_split == key] for key in ("train", "val")}
    for key, members in own.items():
        if not members:
            raise InputError(f"the source has no `{key}` split of its own; set `keep_splits: false`")
    if len(own["train"]) + len(own["val"]) < len(pool):
        lost = next(sample.record for sample in pool if sample.record.source_split not in own)
        raise InputError(f"the picture `{lost.key}` is in no split of the source; set `keep_splits: false`")
    return _with_derived(own["train"], own["val"], fractions, seed)


def folds(
    records: Sequence[ImageRecord],
    k: int,
    seed: int,
    stratification: Stratification,
    names: Sequence[str],
    groups: Sequence[int] | None = None,
) -> list[Records]:
    """Part records in k stratified folds of about equal size; groups stay whole.

    They are cut off one after the other, so the first is the ``valid`` of :func:`split` where that has a share of
    1 / k. Only a group that is larger than a fold is a fold of its own; such folds come last.

    Args:
        records:
            Pictures in any order; keys must be unique.
        k:
            Number of folds, at least 2.
        seed:
            Seed of the stratification.
        stratification:
            By which labels.
        names:
            Class names.
        groups:
            Group of every record; None: each is alone.

    Returns:
        k parts, each sorted by key.

    Raises:
        InputError: There are too few pictures or groups.
    """
    rest = _samples(records, stratification, names, groups)
    if len({sample.group for sample in rest}) < k:
        raise _too_few(rest, Fraction(1, k), "folds")
    found: list[list[_Sample]] = []
    large: list[list[_Sample]] = []
    for parts in range(k, 1, -1):
        number, size = Counter(sample.group for sample in rest).most_common(1)[0]
        if size > 1 and size * parts > len(rest):
            large.append([sample for sample in rest if sample.group == number])
            rest = [sample for sample in rest if sample.group != number]
        else:
            fold, rest = _cut(rest, Fraction(1, parts), seed, "folds")
            found.append(fold)
    return [_records(fold) for fold in (*found, rest, *large)]


def _samples(
    records: Sequence[ImageRecord],
    stratification: Stratification,
    names: Sequence[str],
    groups: Sequence[int] | None,
) -> list[_Sample]:
    numbers = range(len(records)) if groups is None else groups
    samples = [
        _Sample(record, labels_of(record, names, stratification), group)
        for record, group in zip(records, numbers, strict=True)
    ]
    return sorted(samples, key=lambda sample: sample.record.key)


def _cut(samples: list[_Sample], share: float | Fraction, seed: int, key: str) -> tuple[list[_Sample], list[_Sample]]:
    """Cut samples in two, the first part holding ``share`` of them and of every label.

    Raises:
        InputError: One part would be empty; names the setting ``key``.
    """
    # 0.2 is not a fifth in binary; the limit on the denominator restores it.
    target = math.floor(Fraction(share).limit_denominator(1000) * len(samples) + Fraction(1, 2))
    groups = [sample.group for sample in samples]
    inside = np.zeros(len(samples), dtype=np.bool_)
    if 0 < target < len(samples):
        inside = choose([sample.labels for sample in samples], groups, target, seed)
    if inside.all() or not inside.any():
        raise _too_few(samples, share, key)
    first = [sample for sample, chosen in zip(samples, inside, strict=True) if chosen]
    return first, [sample for sample, chosen in zip(samples, inside, strict=True) if not chosen]


def _too_few(samples: Sequence[_Sample], share: float | Fraction, key: str) -> InputError:
    groups = len({sample.group for sample in samples})
    together = f" in {groups} group{'s' * (groups > 1)}" if groups < len(samples) else ""
    remedy = f"`{key}` or `groups`" if together else f"`{key}`"
    return InputError(
        f"{len(samples)} pictures{together} are too few for a share of {float(share):.2f}; "
        f"add pictures or change {remedy}"
    )


def _with_derived(train: list[_Sample], valid: list[_Sample], fractions: Fractions, seed: int) -> dict[Split, Records]:
    # By pictures: nothing leaks within train, and half of the frames of every video show more than all frames of
    # half of the videos.
    alone = [replace(sample, group=number) for number, sample in enumerate(train)]
    mini = alone if len(alone) == 1 else _cut(alone, fractions.mini, seed, "mini_fraction")[0]
    parts = {Split.TRAIN: train, Split.VALID: valid, Split.MINI_TRAIN: mini, Split.FULL: [*train, *valid]}
    return {name: _records(members) for name, members in parts.items()}


def _records(samples: Sequence[_Sample]) -> Records:
    return tuple(sorted((sample.record for sample in samples), key=lambda record: record.key))
