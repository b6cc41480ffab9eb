from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import InputError
from data_prep.labels import count_labels, indicator_matrix
from data_prep.records import Box, ImageRecord, Source
from data_prep.split import Fractions, Split, keep, split

BINS = {0: (8, 13), 1: (4, 6)}
SHARED = Path(__file__).resolve().parents[3] / "shared"


def record(key: str, pigs: int = 0, cows: int = 0, source_split: str | None = None) -> ImageRecord:
    boxes = (Box(0, 0, 0, 9, 9),) * pigs + (Box(1, 0, 0, 9, 9),) * cows
    return ImageRecord(key, Source(Path(f"{key}.jpg")), 100, 100, boxes, source_split)


herds = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), min_size=12, max_size=80).map(
    lambda counts: [record(f"image_{i:03d}", *pair) for i, pair in enumerate(counts)]
)


@settings(max_examples=40, deadline=None)
@given(herd=herds, seed=st.integers(0, 2**32 - 1), valid=st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5]))
def test_split_is_a_partition_of_the_asked_size_whatever_the_order(
    herd: list[ImageRecord], seed: int, valid: float
) -> None:
    found = split(herd, Fractions(valid=valid), seed, BINS)
    train, held_out = set(found[Split.TRAIN]), set(found[Split.VALID])
    assert train | held_out == set(herd) == set(found[Split.FULL])
    assert not train & held_out
    assert set(found[Split.MINI_TRAIN]) < train
    assert abs(len(held_out) - valid * len(herd)) <= max(3, 0.1 * len(herd))
    assert abs(len(found[Split.MINI_TRAIN]) - len(train) / 2) <= max(3, 0.1 * len(herd))
    shuffled = random.Random(seed).sample(herd, len(herd))
    assert split(shuffled, Fractions(valid=valid), seed, BINS) == found


def test_valid_is_fold_zero_of_the_stratified_five_folds() -> None:
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

    herd = [record(f"image_{i:03d}", cows=i % 8, pigs=i % 3) for i in range(100)]
    matrix = indicator_matrix([count_labels(image, BINS) for image in herd])
    _, fold = next(MultilabelStratifiedKFold(5, shuffle=True, random_state=42).split(matrix, matrix))
    found = split(herd, Fractions(), 42, BINS)
    assert [image.key for image in found[Split.VALID]] == [herd[i].key for i in sorted(fold)]


def test_another_seed_gives_another_split() -> None:
    herd = [record(f"image_{i:03d}", pigs=i % 16) for i in range(100)]
    assert split(herd, Fractions(), 1, BINS)[Split.VALID] != split(herd, Fractions(), 2, BINS)[Split.VALID]


def test_mission_figures_are_met() -> None:
    """The real counts per class and bin (MISSION_FACTS.md): 20 % of every bin lie in valid, 50 % of train's in mini."""
    sizes = {("cow", 6): 3413, ("cow", 4): 1356, ("cow", 1): 7380, ("none", 0): 3,
             ("pig", 13): 2749, ("pig", 8): 1048, ("pig", 1): 506}  # fmt: skip
    herd = [
        record(f"{kind}_{count}_{i}", pigs=count * (kind == "pig"), cows=count * (kind == "cow"))
        for (kind, count), size in sizes.items()
        for i in range(size)
    ]
    found = split(herd, Fractions(), 42, BINS)
    assert len(herd) == 16455
    assert abs(len(found[Split.VALID]) - 3291) <= 10
    assert abs(len(found[Split.MINI_TRAIN]) - 6582) <= 20
    for whole, part, share in ((Split.FULL, Split.VALID, 0.2), (Split.TRAIN, Split.MINI_TRAIN, 0.5)):
        wholes, parts = (Counter(len(r.boxes) for r in found[name]) for name in (whole, part))
        assert all(abs(parts[n] / wholes[n] - share) < 0.01 for n in wholes if n)


def test_real_box_counts_are_stratified_within_one_point() -> None:
    path = SHARED / "data" / "aispark" / "answer.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine: the real box counts need shared/data beside the repository")
    with path.open() as stream:
        counts = Counter((row["ImageID"], row["LabelName"]) for row in csv.DictReader(stream))
    herd = [record(name, **{f"{kind}s": count}) for (name, kind), count in counts.items()]
    found = split(herd, Fractions(), 42, BINS)
    wholes, parts = (
        Counter(label for r in found[name] for label in count_labels(r, BINS)) for name in (Split.FULL, Split.VALID)
    )
    assert max(abs(parts[name] / wholes[name] - 0.2) for name in wholes) < 0.01


def test_keep_uses_the_sources_own_splits() -> None:
    herd = [record(f"t{i}", pigs=1, source_split="train") for i in range(20)]
    own_valid = [record(f"v{i}", cows=1, source_split="val") for i in range(5)]
    found = keep([*own_valid, *herd], Fractions(), 42, BINS)
    assert set(found[Split.VALID]) == set(own_valid)
    assert set(found[Split.TRAIN]) == set(herd)
    assert len(found[Split.MINI_TRAIN]) == 10


def test_keep_without_own_splits_is_an_error() -> None:
    with pytest.raises(InputError, match="no `train` split of its own; set `keep_splits: false`"):
        keep([record("a")], Fractions(), 42, BINS)


def test_too_few_pictures_are_an_error() -> None:
    with pytest.raises(InputError, match=r"3 pictures are too few for a share of 0\.20"):
        split([record(name) for name in "abc"], Fractions(), 42, BINS)


@pytest.mark.parametrize(
    ("pigs", "cows", "labels"),
    [(0, 0, {"background"}), (7, 0, {"0/0"}), (8, 3, {"0/1", "1/0"}), (13, 4, {"0/2", "1/1"}), (0, 6, {"1/2"})],
)
def test_count_labels_follow_the_thresholds(pigs: int, cows: int, labels: set[str]) -> None:
    assert count_labels(record("a", pigs, cows), BINS) == labels


def test_indicator_matrix_has_one_sorted_column_per_label_and_an_empty_one() -> None:
    matrix = indicator_matrix([frozenset({"b"}), frozenset({"a", "b"})])
    assert np.array_equal(matrix, [[False, True, False], [True, True, False]])
