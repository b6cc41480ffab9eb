from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.findings import Policy
from data_prep.leaks import find_leaks, near_clusters
from data_prep.records import ImageRecord, Source
from data_prep.split import Split
from tests.data_prep.herds import scene


def record(key: str, thumbnail: bytes) -> ImageRecord:
    return ImageRecord(key, Source(Path(f"{key}.jpg")), 9, 9, thumbnail=thumbnail)


SPLITS = {
    Split.TRAIN: (record("a", scene(1)), record("b", scene(2)), record("c", scene(3))),
    Split.VALID: (record("d", scene(1, 1)), record("e", scene(4))),
    Split.TEST: (record("f", scene(3, 1)), record("g", scene(4, 1))),
    Split.FULL: (record("a", scene(1)),),
}


@pytest.mark.parametrize("policy", list(Policy))
def test_pictures_that_look_the_same_across_splits_are_found(policy: Policy) -> None:
    found = {
        (finding.image, finding.detail.split(" (")[0]): finding.policy for finding in find_leaks(SPLITS, 72, policy)
    }
    assert set(found) == {
        ("a", "looks the same as valid/d.jpg"), ("c", "looks the same as test/f.jpg"),
        ("e", "looks the same as test/g.jpg"),
    }  # fmt: skip
    # what is judged on is never dropped
    applied = Policy.KEEP if policy is Policy.DROP else policy
    assert found["e", "looks the same as test/g.jpg"] is applied
    assert found["a", "looks the same as valid/d.jpg"] is policy


def test_one_look_alike_does_not_hide_another() -> None:
    """All three look the same: train's is like valid's, and valid's is like test's all the same."""
    splits = {
        split: (record(key, scene(1)),) for split, key in ((Split.TRAIN, "a"), (Split.VALID, "b"), (Split.TEST, "c"))
    }
    assert [finding.image for finding in find_leaks(splits, 72, Policy.KEEP)] == ["a", "b"]


def test_the_most_alike_is_named() -> None:
    splits = {
        Split.TRAIN: (record("a", scene(1)),),
        Split.VALID: (record("far", scene(1, 1)), record("same", scene(1)), record("other", scene(2))),
    }
    (found,) = find_leaks(splits, 72, Policy.KEEP)
    assert (found.file, found.detail) == ("train/a.jpg", "looks the same as valid/same.jpg (distance 0)")


def test_clusters_join_what_looks_the_same() -> None:
    records = (record("a", scene(1)), record("b", scene(2)), record("c", scene(1, 1)), record("d", b""))
    first, second, third, none = near_clusters(records, 72)
    assert first == third
    assert len({first, second, none}) == 3
