from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from data_prep.config import Background, PrepareConfig
from data_prep.errors import InputError
from data_prep.findings import Finding, Kind, Policy
from data_prep.gather import Gathered, gather, refuse_failures
from data_prep.policies import Policies
from data_prep.progress import silent
from data_prep.readers import YoloReader
from data_prep.store import RawStore
from tests.data_prep.conftest import jpeg, write_yolo, write_zip


def read(source: YoloReader, **settings: object) -> Gathered:
    config = PrepareConfig.model_validate({"source": source, **settings})
    with RawStore(config.limits) as store:
        return gather(config, store, silent)


@pytest.fixture
def source(tmp_path: Path) -> YoloReader:
    """Twelve pictures for training, two of them empty, and three of test."""
    data = write_yolo(tmp_path / "raw", {"train": 8, "val": 4, "test": 3})
    for number, path in enumerate(sorted((data.parent / "images").rglob("*.jpg"))):
        path.write_bytes(jpeg(shade=10 * number))  # all different
    for number in (0, 1):
        (data.parent / "labels" / "train" / f"train_00{number}.txt").write_text("")
    return YoloReader(data=data)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Ten pictures of nothing, one of which bears a name that train has, too."""
    (tmp_path / "empty").mkdir()
    for number in range(10):
        (tmp_path / "empty" / f"train_{number + 7:03d}.jpg").write_bytes(jpeg(shade=150 + number))
    return tmp_path / "empty"


def test_own_test_pictures_and_those_of_a_second_source_are_apart(source: YoloReader, tmp_path: Path) -> None:
    other = YoloReader(data=write_yolo(tmp_path / "other", {"train": 2, "val": 1}))
    found = read(source, test_source=other)
    assert (len(found.pool), len(found.tests)) == (12, 6)
    assert {record.source_split for record in found.tests} == {"test"}
    assert {record.key for record in found.tests} & {record.key for record in found.pool} == {
        "train_000", "train_001", "val_000",
    }  # fmt: skip


def test_one_name_twice_among_the_tests_is_an_error(source: YoloReader, tmp_path: Path) -> None:
    other = write_yolo(tmp_path / "other", {"train": 2, "val": 1, "test": 1})
    with pytest.raises(InputError, match=r"test_000\.jpg: another picture is called `test_000`, too; rename one"):
        read(source, test_source=YoloReader(data=other))


def test_background_counts_what_is_empty_already(source: YoloReader, empty: Path) -> None:
    found = read(source, background=Background(images=empty, share=0.5))
    added = found.pool[12:]
    assert len(added) == 8  # of 20 pictures ten are empty
    assert not any(record.boxes for record in added)
    assert {record.source_split for record in added} == {None}
    assert read(source, background=Background(images=empty, share=0.5)) == found
    assert read(source, background=Background(images=empty, share=0.5), seed=7).pool[12:] != added
    assert len(read(source, background=Background(images=empty, share=0.01)).pool) == 12


def test_background_is_the_same_in_whatever_order_an_archive_has_it(source: YoloReader, tmp_path: Path) -> None:
    pictures = {f"{number}.jpg": jpeg(shade=number) for number in range(40)}
    chosen = []
    for name, members in (("a.zip", pictures), ("b.zip", dict(reversed(pictures.items())))):
        write_zip(tmp_path / name, members)
        found = read(source, background=Background(images=tmp_path / name, share=0.5))
        chosen.append({record.key for record in found.pool[12:]})
    assert chosen[0] == chosen[1]


def test_background_goes_to_train_where_splits_are_kept(source: YoloReader, empty: Path) -> None:
    found = read(source, background=Background(images=empty, share=0.5), keep_splits=True)
    assert {record.source_split for record in found.pool[12:]} == {"train"}


def test_names_that_are_taken_get_another(source: YoloReader, empty: Path) -> None:
    shutil.copy(empty / "train_008.jpg", empty / "background_train_007.jpg")
    found = read(source, background=Background(images=empty, share=0.54))
    keys = [record.key.casefold() for record in found.pool]
    assert len(keys) == len(set(keys))
    assert "background_train_007_2" in keys


def test_the_share_that_a_message_names_can_be_reached(tmp_path: Path) -> None:
    source = YoloReader(data=write_yolo(tmp_path / "raw", {"train": 1, "val": 1}))
    (tmp_path / "many").mkdir()
    for number in range(40):
        (tmp_path / "many" / f"{number}.jpg").write_bytes(jpeg())
    with pytest.raises(InputError, match=r"many has 40 pictures but a share of 0.99 takes 198") as caught:
        read(source, background=Background(images=tmp_path / "many", share=0.99))
    named = re.search(r"at most (0\.\d+)$", str(caught.value))
    assert named is not None
    assert len(read(source, background=Background(images=tmp_path / "many", share=float(named[1]))).pool) > 40


def test_dropped_duplicates_leave_training_and_never_test(source: YoloReader) -> None:
    images = source.data.parent / "images"
    shutil.copy(images / "test" / "test_001.jpg", images / "train" / "train_004.jpg")
    found = read(source, policies=Policies(exact_duplicate=Policy.DROP))
    assert len(found.tests) == 3
    assert "train_004" not in {record.key for record in found.pool}
    assert [(finding.image, finding.policy) for finding in found.findings] == [("train_004", Policy.DROP)]


def finding(kind: Kind, policy: Policy, file: str = "a") -> Finding:
    return Finding(kind, file, "bad", policy=policy)


def test_what_does_not_fail_is_not_refused() -> None:
    refuse_failures([finding(kind, policy) for kind in Kind for policy in Policy if policy is not Policy.FAIL])


@pytest.mark.parametrize(("kind", "command"), [(Kind.BOX_OUTSIDE, "check"), (Kind.NEAR_DUPLICATE, "compare-splits")])
def test_failures_are_counted_and_the_first_is_named(kind: Kind, command: str) -> None:
    others = [finding(Kind.CROWD_BOX, Policy.KEEP, "no"), finding(Kind.UNKNOWN_CLASS, Policy.FAIL, "c")]
    with pytest.raises(InputError) as caught:
        refuse_failures([finding(kind, Policy.FAIL), *others, finding(kind, Policy.FAIL, "b")])
    assert f"(2 {kind}, 1 unknown_class), such as a: bad;" in str(caught.value)
    assert f"`policies.{kind}: drop`; `hypsweep {command}` lists all" in str(caught.value)
