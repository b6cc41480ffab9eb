"""How even a split is: the share of every label in every split, against the share that it should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from data_prep.labels import Stratification, labels_of
from data_prep.split import Records, Split

#: Stands where a row counts all pictures instead of those with a label.
ALL_PICTURES = "all pictures"

#: The pictures that each split is a part of; ``full`` is no part.
_WHOLES: Mapping[Split, frozenset[Split]] = {
    Split.TRAIN: frozenset({Split.TRAIN, Split.VALID}),
    Split.VALID: frozenset({Split.TRAIN, Split.VALID}),
    Split.MINI_TRAIN: frozenset({Split.TRAIN}),
    Split.TEST: frozenset({Split.TRAIN, Split.VALID, Split.TEST}),
}


@dataclass(frozen=True, slots=True)
class LabelShare:
    """What a split has of one label.

    Attributes:
        split:
            A part of its whole: ``train`` and ``valid`` of both together, ``mini_train`` of train, ``test`` of train,
            valid and test.
        label:
            Label, or :data:`ALL_PICTURES`.
        whole:
            Pictures with the label in the whole.
        images:
            Pictures with the label in the split.
        share:
            The latter by the former, between 0 and 1.
        expected:
            Share that the split should have of every label.
        deviation:
            ``share - expected`` in percentage points.
    """

    split: Split
    label: str
    whole: int
    images: int
    share: float
    expected: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Balance:
    """How even the splits of a data set are.

    Attributes:
        sizes:
            One row per split, of all pictures.
        rows:
            One row per split and label, sorted by label.
        worst:
            Per split the row with the largest deviation, of the labels that enough pictures carry.
    """

    sizes: tuple[LabelShare, ...]
    rows: tuple[LabelShare, ...]
    worst: tuple[LabelShare, ...]


def balance_table(
    splits: Mapping[Split, Records],
    names: Sequence[str],
    stratification: Stratification,
    expected: Mapping[Split, float] | None = None,
    least_images: int = 100,
) -> Balance:
    """Compare the splits of a data set, label by label.

    Args:
        splits:
            Pictures per split; those that are absent have no rows.
        names:
            Class names.
        stratification:
            The labels to compare, which need not be those that were split by.
        expected:
            Share per split that was asked for (:attr:`data_prep.split.Fractions.shares`); a split that it lacks
            should have of every label what it has of all pictures.
        least_images:
            A label counts for ``worst`` where so many pictures of the whole carry it; where no label has as many,
            all count.
    """
    counts = {name: _count(members, names, stratification) for name, members in splits.items()}
    sizes, rows, worst = [], [], []
    for split in (name for name in _WHOLES if splits.get(name)):
        whole = sum((counts[part] for part in _WHOLES[split] if part in counts), Counter[str]())
        asked = (expected or {}).get(split, counts[split][ALL_PICTURES] / whole[ALL_PICTURES])
        size, *labels = [_share(split, label, whole[label], counts[split][label], asked) for label in _sorted(whole)]
        sizes.append(size)
        rows += labels
        common = [row for row in labels if row.whole >= least_images] or labels
        worst.append(max(common, key=lambda row: abs(row.deviation)))
    return Balance(tuple(sizes), tuple(sorted(rows, key=lambda row: row.label)), tuple(worst))


def split_groups(splits: Mapping[Split, Records], groups: Mapping[str, int]) -> int:
    """Count the groups that stand in more than one of ``train``, ``valid`` and ``test``.

    Args:
        splits:
            Pictures per split.
        groups:
            Group per key; a picture that it lacks is alone.
    """
    seen = {
        (groups[record.key], name)
        for name in (Split.TRAIN, Split.VALID, Split.TEST)
        for record in splits.get(name, ())
        if record.key in groups
    }
    return sum(count > 1 for count in Counter(group for group, _ in seen).values())


def _count(members: Records, names: Sequence[str], stratification: Stratification) -> Counter[str]:
    counts = Counter(label for record in members for label in labels_of(record, names, stratification))
    counts[ALL_PICTURES] = len(members)
    return counts


def _sorted(labels: Iterable[str]) -> list[str]:
    """Sort labels, all pictures first."""
    return sorted(labels, key=lambda label: (label != ALL_PICTURES, label))


def _share(split: Split, label: str, whole: int, images: int, expected: float) -> LabelShare:
    share = images / whole
    return LabelShare(split, label, whole, images, share, expected, 100 * (share - expected))
