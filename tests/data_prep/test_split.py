from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from statistics import median

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from data_prep.balance import balance_table
from data_prep.errors import InputError
from data_prep.groups import ByName, group_records
from data_prep.labels import labels_of
from data_prep.records import ImageRecord
from data_prep.split import Fractions, Records, Split, folds, keep, split
from tests.data_prep.herds import BY_ALL, BY_COUNT, NAMES, answer_herd, random_herd, record

herds = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 9), st.integers(0, 12)), min_size=3, max_size=80
).map(
    lambda drawn: [(record(f"image_{i:03d}", pigs, cows), group) for i, (pigs, cows, group) in enumerate(drawn)]
)  # fmt: skip
Herd = list[tuple[ImageRecord, int]]


def halves(herd: Herd) -> tuple[list[ImageRecord], list[int]]:
    return [image for image, _ in herd], [group for _, group in herd]


def largest_share_off(part: Records, whole: Sequence[ImageRecord], share: float) -> float:
    """Largest deviation in percentage points of a label that at least 100 pictures of the whole carry."""
    wholes, parts = (Counter(label for r in side for label in labels_of(r, NAMES, BY_ALL)) for side in (whole, part))
    return max(100 * abs(parts[label] / count - share) for label, count in wholes.items() if count >= 100)


@settings(max_examples=25, deadline=None)
@given(herd=herds, seed=st.integers(0, 2**32 - 1), valid=st.sampled_from([0.2, 0.25, 0.3, 0.5, 0.8]))
def test_split_is_a_partition_of_the_asked_size_whatever_the_order(herd: Herd, seed: int, valid: float) -> None:
    images, _ = halves(herd)
    found = split(images, Fractions(valid=valid), seed, BY_COUNT, NAMES)
    train, held_out = set(found[Split.TRAIN]), set(found[Split.VALID])
    assert train | held_out == set(images) == set(found[Split.FULL])
    assert not train & held_out
    assert set(found[Split.MINI_TRAIN]) <= train
    assert abs(len(held_out) - valid * len(images)) <= 0.5
    assert abs(len(found[Split.MINI_TRAIN]) - len(train) / 2) <= 0.5
    assert all(list(part) == sorted(part, key=lambda image: image.key) for part in found.values())
    shuffled = random.Random(seed).sample(images, len(images))
    assert split(shuffled, Fractions(valid=valid), seed, BY_COUNT, NAMES) == found


@settings(max_examples=25, deadline=None)
@given(herd=herds, seed=st.integers(0, 2**32 - 1), test=st.sampled_from([0.0, 0.1, 0.3]))
def test_groups_are_whole_in_train_valid_and_test_or_the_split_is_refused(herd: Herd, seed: int, test: float) -> None:
    images, groups = halves(herd)
    shares = Fractions(valid=0.25, test=test)
    try:
        found = split(images, shares, seed, BY_COUNT, NAMES, groups)
    except InputError:
        event("refused")
        assert min(Counter(groups).values()) >= 0.1 * len(images) - 1
        return
    sides = [found[name] for name in (Split.TRAIN, Split.VALID, Split.TEST) if name in found]
    assert all(sides)
    assert sorted(r.key for side in sides for r in side) == [r.key for r in images]
    group_of = {image.key: group for image, group in herd}
    on_side = [{group_of[r.key] for r in side} for side in sides]
    assert sum(map(len, on_side)) == len(set().union(*on_side))
    mixed = random.Random(seed).sample(herd, len(herd))
    renamed = [(image, 1000 - 7 * group) for image, group in mixed]
    assert split(*halves(renamed)[:1], shares, seed, BY_COUNT, NAMES, halves(renamed)[1]) == found


@settings(max_examples=25, deadline=None)
@given(herd=herds, seed=st.integers(0, 2**32 - 1), k=st.integers(2, 6), grouped=st.booleans())
def test_folds_are_a_partition_in_whole_groups(herd: Herd, seed: int, k: int, grouped: bool) -> None:
    images, groups = halves(herd)
    groups = groups if grouped else list(range(len(images)))
    try:
        found = folds(images, k, seed, BY_COUNT, NAMES, groups)
    except InputError:
        event("refused")
        assert len(set(groups)) < k
        return
    assert len(found) == k
    assert all(found)
    assert sorted(r.key for fold in found for r in fold) == [r.key for r in images]
    group_of = {image.key: group for image, group in zip(images, groups, strict=True)}
    assert sum(len({group_of[r.key] for r in fold}) for fold in found) == len(set(groups))
    if not grouped:
        assert max(map(len, found)) - min(map(len, found)) <= 1


def test_the_first_of_five_folds_is_valid() -> None:
    herd = random_herd(203, seed=4)
    groups = group_records(herd, [ByName(by="name", pattern=r"^barn_\d+")])
    for numbers in (None, groups):
        found = split(herd, Fractions(valid=0.2), 42, BY_ALL, NAMES, numbers)
        assert folds(herd, 5, 42, BY_ALL, NAMES, numbers)[0] == found[Split.VALID]


def test_a_group_larger_than_a_fold_is_one_and_the_others_are_even() -> None:
    herd = [record(f"image_{i:03d}", pigs=1 + i % 3) for i in range(100)]
    found = folds(herd, 5, 0, BY_COUNT, NAMES, [0 if i < 40 else i for i in range(100)])
    assert sorted(map(len, found)) == [15, 15, 15, 15, 40]


def test_another_seed_gives_another_split() -> None:
    herd = [record(f"image_{i:03d}", pigs=i % 16) for i in range(100)]
    assert len({split(herd, Fractions(), seed, BY_COUNT, NAMES)[Split.VALID] for seed in range(5)}) == 5


def test_mission_figures_are_met() -> None:
    """The real counts per class and bin (MISSION_FACTS.md): 20 % of every bin lie in valid, 50 % of train's in mini."""
    sizes = {("cow", 6): 3413, ("cow", 4): 1356, ("cow", 1): 7380, ("none", 0): 3,
             ("pig", 13): 2749, ("pig", 8): 1048, ("pig", 1): 506}  # fmt: skip
    herd = [
        record(f"{kind}_{count}_{i}", pigs=count * (kind == "pig"), cows=count * (kind == "cow"))
        for (kind, count), size in sizes.items()
        for i in range(size)
    ]
    found = split(herd, Fractions(), 42, BY_COUNT, NAMES)
    assert [len(found[name]) for name in (Split.TRAIN, Split.VALID, Split.MINI_TRAIN)] == [13164, 3291, 6582]
    for whole, part, share in ((Split.FULL, Split.VALID, 0.2), (Split.TRAIN, Split.MINI_TRAIN, 0.5)):
        wholes, parts = (Counter(len(r.boxes) for r in found[name]) for name in (whole, part))
        assert all(abs(parts[n] - share * wholes[n]) < 1 for n in wholes)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_on_the_real_boxes_no_label_is_off_by_a_point() -> None:
    """The bound of the project: at most 1 point in the median of 20 seeds and 2 in the worst; here half a point."""
    herd, off = answer_herd(), []
    for seed in range(20):
        found = split(herd, Fractions(), seed, BY_ALL, NAMES)
        assert len(found[Split.VALID]) == 411
        off.append(largest_share_off(found[Split.VALID], herd, 0.2))
        assert largest_share_off(found[Split.MINI_TRAIN], found[Split.TRAIN], 0.5) <= 0.5
    assert median(off) <= 0.15
    assert max(off) <= 0.15


def test_on_the_real_boxes_test_and_folds_are_even_too() -> None:
    herd = answer_herd()
    found = split(herd, Fractions(valid=0.2, test=0.1), 42, BY_ALL, NAMES)
    assert [len(found[name]) for name in (Split.TEST, Split.VALID, Split.TRAIN)] == [206, 370, 1481]
    assert largest_share_off(found[Split.TEST], herd, 0.1) <= 0.5
    assert largest_share_off(found[Split.VALID], found[Split.FULL], 0.2) <= 0.5
    parts = folds(herd, 5, 42, BY_ALL, NAMES)
    assert sorted(map(len, parts)) == [411, 411, 411, 412, 412]
    assert max(largest_share_off(part, herd, 0.2) for part in parts) <= 1


def test_on_the_real_boxes_frames_of_one_stretch_stay_together_at_little_cost() -> None:
    """The ten pictures of consecutive numbers are a group, 210 in all."""
    herd = answer_herd()
    groups = group_records(herd, [ByName(by="name", pattern=r"^(.*)\d$")])
    off = []
    for seed in range(5):
        found = split(herd, Fractions(), seed, BY_ALL, NAMES, groups)
        assert abs(len(found[Split.VALID]) - 411) <= 2
        tens = [{r.key[:-1] for r in found[name]} for name in (Split.TRAIN, Split.VALID)]
        assert not tens[0] & tens[1]
        off.append(largest_share_off(found[Split.VALID], herd, 0.2))
    assert max(off) <= 0.5


def test_mini_takes_frames_of_every_group() -> None:
    """It is a part of train, so nothing can leak: more videos show more than more frames of one."""
    herd = [record(f"image_{i:03d}", pigs=1) for i in range(100)]
    groups = [i // 10 for i in range(100)]
    found = split(herd, Fractions(), 1, BY_COUNT, NAMES, groups)
    assert len(found[Split.MINI_TRAIN]) == 40
    assert len({int(r.key[6:]) // 10 for r in found[Split.MINI_TRAIN]}) > 4


def test_a_share_is_the_decimal_that_was_written() -> None:
    """0.3 is a little less in binary; half a picture is rounded up all the same."""
    assert len(split_of(5, valid=0.3)[Split.VALID]) == 2


def test_three_pictures_can_be_split() -> None:
    found = split([record(name, pigs=1) for name in "abc"], Fractions(), 42, BY_COUNT, NAMES)
    assert [len(found[name]) for name in (Split.TRAIN, Split.VALID, Split.MINI_TRAIN)] == [2, 1, 1]


def split_of(count: int, groups: list[int] | None = None, **shares: float) -> dict[Split, Records]:
    herd = [record(f"image_{i:03d}", pigs=1) for i in range(count)]
    return split(herd, Fractions(**shares), 42, BY_COUNT, NAMES, groups)


@pytest.mark.parametrize(
    ("count", "groups", "shares", "message"),
    [
        (2, None, {}, "2 pictures are too few for a share of 0.20; add pictures or change `valid_fraction`"),
        (0, None, {}, "0 pictures are too few for a share of 0.20; add pictures or change `valid_fraction`"),
        (9, None, {"test": 0.01}, "9 pictures are too few for a share of 0.01; add pictures or change `test_fraction`"),
        (9, None, {"mini": 0.02}, "7 pictures are too few for a share of 0.02; add pictures or change `mini_fraction`"),
        (40, [7] * 40, {}, "; add pictures or change `valid_fraction` or `groups`"),
        (40, [7] * 40, {}, "40 pictures in 1 group are too few for a share of 0.20"),
        (40, [0, 1] * 20, {"valid": 0.1}, "40 pictures in 2 groups are too few for a share of 0.10"),
    ],
)  # fmt: skip
def test_what_cannot_be_split_is_said_with_the_setting(
    count: int, groups: list[int] | None, shares: dict[str, float], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        split_of(count, groups, **shares)
    assert message in str(caught.value)


def test_groups_that_do_not_fit_make_the_nearest_size() -> None:
    """Four videos of ten frames: eight pictures cannot be had, ten can."""
    found = split_of(40, [i // 10 for i in range(40)])
    assert len(found[Split.VALID]) == 10


def test_folds_that_cannot_be_made_are_said_with_the_setting() -> None:
    herd = [record(f"image_{i:03d}", pigs=1) for i in range(40)]
    with pytest.raises(InputError, match=r"add pictures or change `folds`$"):
        folds(herd[:3], 4, 0, BY_COUNT, NAMES)
    with pytest.raises(InputError, match=r"add pictures or change `folds` or `groups`$"):
        folds(herd, 3, 0, BY_COUNT, NAMES, [0, 1] * 20)


def test_a_huge_group_goes_to_train() -> None:
    found = split_of(100, [0 if i < 70 else i for i in range(100)])
    assert len(found[Split.VALID]) == 20
    assert {f"image_{i:03d}" for i in range(70)} <= {r.key for r in found[Split.TRAIN]}


def test_keep_uses_the_sources_own_splits() -> None:
    herd = [record(f"t{i}", pigs=1, source_split="train") for i in range(20)]
    own_valid = [record(f"v{i}", cows=1, source_split="val") for i in range(5)]
    found = keep([*own_valid, *herd], Fractions(), 42, BY_COUNT, NAMES)
    assert set(found[Split.VALID]) == set(own_valid)
    assert set(found[Split.TRAIN]) == set(herd)
    assert len(found[Split.MINI_TRAIN]) == 10


@pytest.mark.parametrize(
    ("herd", "shares", "message"),
    [
        ([record("a")], {}, "no `train` split of its own; set `keep_splits: false`"),
        ([record("a", source_split="train")], {}, "no `val` split of its own; set `keep_splits: false`"),
        ([record("a", source_split="train"), record("b", source_split="val"), record("c")], {},
         "the picture `c` is in no split of the source; set `keep_splits: false`"),
        ([record("a", source_split="train")], {"test": 0.1}, "`test_fraction` splits anew"),
    ],
)  # fmt: skip
def test_keep_refuses_what_it_cannot_keep(herd: list[ImageRecord], shares: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        keep(herd, Fractions(**shares), 42, BY_COUNT, NAMES)


def digest() -> str:
    """One hash of all splits and folds of a herd, with groups and without."""
    herd, lines = random_herd(603, seed=11), []
    for groups in (None, group_records(herd, [ByName(by="name", pattern=r"^barn_\d+")])):
        found = split(herd, Fractions(valid=0.2, test=0.1), 42, BY_ALL, NAMES, groups)
        parts = [*found.items(), *enumerate(folds(herd, 4, 7, BY_ALL, NAMES, groups))]
        lines += [f"{name}: {' '.join(r.key for r in part)}" for name, part in parts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


GOLDEN = "575a7dcf64d5278d3075d7d740a8d8aba9a60eedf1bbc0b65302aa5b6758d562"


def test_the_same_split_came_out_on_another_machine() -> None:
    assert digest() == GOLDEN


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("hash_seed", "threads", "vectors"), [("1", "1", True), ("2", "2", False)])
def test_hash_seed_threads_and_vector_units_do_not_matter(hash_seed: str, threads: str, vectors: bool) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads}
    if not vectors:
        from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

        # What numpy chooses by processor at run time: sorts of ties and sums of floats differ by it.
        found = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(found)
    code = "from tests.data_prep.test_split import digest; print(digest())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == GOLDEN


def test_the_balance_report_says_how_far_a_size_is_off() -> None:
    found = split_of(40, [i // 10 for i in range(40)])
    sizes = {row.split: row for row in balance_table(found, NAMES, BY_COUNT, Fractions().shares).sizes}
    assert sizes[Split.VALID].deviation == pytest.approx(5)
