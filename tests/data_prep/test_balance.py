from __future__ import annotations

import pytest

from data_prep.balance import ALL_PICTURES, balance_table, split_groups
from data_prep.labels import LabelKind, Stratification
from data_prep.records import ImageRecord
from data_prep.split import Fractions, Records, Split
from tests.data_prep.herds import NAMES, record

BY_CLASS = Stratification(kinds=(LabelKind.CLASS,))


def part(name: str, pigs: int, cows: int, both: int = 0) -> Records:
    """So many pictures with pigs, with cows, and with both."""
    kinds = [(1, 0)] * pigs + [(0, 1)] * cows + [(1, 1)] * both
    return tuple(record(f"{name}_{i:03d}", *kind) for i, kind in enumerate(kinds))


SPLITS: dict[Split, tuple[ImageRecord, ...]] = {
    Split.TRAIN: part("train", pigs=50, cows=25, both=5),
    Split.VALID: part("valid", pigs=5, cows=15),
    Split.TEST: part("test", pigs=0, cows=25),
}
SPLITS[Split.MINI_TRAIN] = SPLITS[Split.TRAIN][:50]
SPLITS[Split.FULL] = (*SPLITS[Split.TRAIN], *SPLITS[Split.VALID])


def test_every_split_is_compared_with_what_it_is_a_part_of() -> None:
    """By hand: 60 pictures with pigs in full, 5 of them in valid, where a fifth should be."""
    found = balance_table(SPLITS, NAMES, BY_CLASS, Fractions(valid=0.2, mini=0.5).shares)
    rows = {(row.split, row.label): row for row in found.rows}
    assert len(rows) == len(found.rows) == 8
    pig = rows[Split.VALID, "class pig"]
    assert (pig.whole, pig.images, pig.share, pig.expected) == (60, 5, 5 / 60, 0.2)
    assert pig.deviation == pytest.approx(100 * (5 / 60 - 0.2))
    assert (rows[Split.MINI_TRAIN, "class pig"].whole, rows[Split.MINI_TRAIN, "class pig"].images) == (55, 50)
    assert (rows[Split.TEST, "class cow"].whole, rows[Split.TEST, "class cow"].images) == (70, 25)
    assert (rows[Split.TEST, "class pig"].whole, rows[Split.TEST, "class pig"].images) == (60, 0)
    assert rows[Split.TRAIN, "class cow"].share == 30 / 45


def test_sizes_say_by_how_much_a_split_is_too_large() -> None:
    found = {row.split: row for row in balance_table(SPLITS, NAMES, BY_CLASS, Fractions(valid=0.25).shares).sizes}
    assert {row.label for row in found.values()} == {ALL_PICTURES}
    assert (found[Split.VALID].images, found[Split.VALID].whole) == (20, 100)
    assert found[Split.VALID].deviation == pytest.approx(-5)
    assert found[Split.MINI_TRAIN].deviation == pytest.approx(12.5)


def test_what_was_not_asked_for_is_measured_against_the_size() -> None:
    found = {row.split: row for row in balance_table(SPLITS, NAMES, BY_CLASS).sizes}
    assert found[Split.TEST].expected == 25 / 125
    assert all(row.deviation == 0 for row in found.values())


@pytest.mark.parametrize(
    ("least", "label"), [(50, "class pig"), (46, "class pig"), (1, "class cow"), (61, "class cow")]
)
def test_the_worst_label_is_among_those_with_enough_pictures_or_else_among_all(least: int, label: str) -> None:
    found = balance_table(SPLITS, NAMES, BY_CLASS, {Split.VALID: 0.2}, least_images=least)
    worst = {row.split: row for row in found.worst}
    assert worst[Split.VALID].label == worst[Split.TRAIN].label == label
    assert worst[Split.TRAIN].deviation == pytest.approx(-worst[Split.VALID].deviation)


def test_rows_are_sorted_and_splits_that_are_absent_or_empty_have_none() -> None:
    only = {Split.VALID: SPLITS[Split.VALID], Split.TRAIN: SPLITS[Split.TRAIN], Split.TEST: ()}
    found = balance_table(only, NAMES, BY_CLASS)
    assert [(row.label, row.split) for row in found.rows] == [
        ("class cow", Split.TRAIN),
        ("class cow", Split.VALID),
        ("class pig", Split.TRAIN),
        ("class pig", Split.VALID),
    ]
    assert balance_table({}, NAMES, BY_CLASS).rows == ()


def test_other_labels_than_those_split_by_can_be_compared() -> None:
    found = balance_table(SPLITS, NAMES, Stratification(kinds=(LabelKind.RATIO,)))
    assert {row.label for row in found.rows} == {"ratio square"}


def test_groups_on_both_sides_are_counted() -> None:
    """1 lies in train and valid, 2 in all three; 3 in train and mini_train, which is no leak; 4 nowhere else."""
    groups = {
        "train_000": 1,
        "valid_000": 1,
        "train_060": 2,
        "valid_001": 2,
        "test_000": 2,
        "train_001": 3,
        "train_002": 3,
    }
    groups["test_001"] = 4
    assert split_groups(SPLITS, groups) == 2
    assert split_groups(SPLITS, {}) == 0
