from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.findings import Finding, Kind, Policy
from data_prep.gather import Gathered
from data_prep.plan import make_plan
from data_prep.readers import YoloReader
from data_prep.records import ImageRecord
from data_prep.split import Split
from tests.data_prep.herds import NAMES, record, scene


def config(**settings: object) -> PrepareConfig:
    return PrepareConfig.model_validate({"source": YoloReader(data=Path("data.yaml")), **settings})


def gathered(*pool: ImageRecord, tests: tuple[ImageRecord, ...] = (), findings: tuple[Finding, ...] = ()) -> Gathered:
    return Gathered(NAMES, pool, tests, findings)


def herd(count: int, split: str | None = None) -> list[ImageRecord]:
    """Pictures that all look different."""
    return [
        replace(record(f"{split or 'p'}_{number:02d}", 1, 0, split), sha256=f"{split}{number}", thumbnail=scene(number))
        for number in range(count)
    ]


def keys(records: tuple[ImageRecord, ...]) -> set[str]:
    return {item.key for item in records}


def test_no_picture_at_all_is_said() -> None:
    with pytest.raises(InputError, match="no picture to train on"):
        make_plan(config(), gathered(tests=(record("t", 1, 0, "test"),)))


def test_bins_of_an_unknown_class_are_named_on_one_line() -> None:
    with pytest.raises(InputError, match=r"the class `sheep\\n`; the data has \['pig', 'cow'\]"):
        make_plan(config(count_bins={"sheep\n": (1, 2)}), gathered(*herd(10)))


def test_test_pictures_are_kept_apart_from_the_start() -> None:
    tests = (record("p_00", 1, 0, "test"), record("a", 1, 0, "test"))
    plan = make_plan(config(), gathered(*herd(10), tests=tests))
    assert plan.splits[Split.TEST] == (tests[1], tests[0])
    assert keys(plan.splits[Split.FULL]) == keys(tuple(herd(10)))
    assert set(plan.groups) == keys(tuple(herd(10)))
    with pytest.raises(InputError, match="remove `test_fraction`"):
        make_plan(config(test_fraction=0.2), gathered(*herd(10), tests=tests))


def test_the_same_bytes_are_one_group_whatever_is_configured() -> None:
    pool = [replace(item, sha256=str(number // 2)) for number, item in enumerate(herd(20))]
    plan = make_plan(config(), gathered(*pool))
    assert len(set(plan.groups.values())) == 10
    for split in (Split.TRAIN, Split.VALID):
        assert {int(item.sha256) for item in plan.splits[split]}.isdisjoint(
            {int(item.sha256) for item in pool if item not in plan.splits[split]}
        )


def test_boxes_alone_are_no_copies_of_each_other() -> None:
    pool = [replace(item, sha256="", thumbnail=b"") for item in herd(10)]
    assert len(set(make_plan(config(), gathered(*pool)).groups.values())) == 10


def test_look_alikes_are_grouped_within_their_distance() -> None:
    pool = [replace(item, thumbnail=scene(number // 2)) for number, item in enumerate(herd(20))]
    groups = [
        set(make_plan(config(groups=[{"by": "near_duplicates", "distance": d}]), gathered(*pool)).groups.values())
        for d in (0, 72)
    ]
    assert len(groups[0]) == 10 > len(groups[1])


@pytest.fixture
def leaking() -> Gathered:
    """Of eight pictures in train the first looks like one in valid; one of test bears its name."""
    train, valid = herd(8, "train"), [replace(record("v", 1, 0, "val"), thumbnail=scene(0, 1))]
    return gathered(*train, *valid, tests=(record("train_00", 1, 0, "test"),))


def test_dropped_look_alikes_leave_everything_that_is_trained_on(leaking: Gathered) -> None:
    chosen = config(keep_splits=True, policies={"near_duplicate": "drop"}, folds=2)
    plan = make_plan(chosen, leaking)
    assert keys(plan.splits[Split.TRAIN]) == {f"train_{number:02d}" for number in range(1, 8)}
    assert "train_00" not in keys(plan.splits[Split.MINI_TRAIN]) | keys(plan.splits[Split.FULL])
    assert keys(plan.splits[Split.VALID]) == {"v"}
    assert keys(plan.splits[Split.TEST]) == {"train_00"}
    assert keys(plan.folds[0]) | keys(plan.folds[1]) == keys(plan.splits[Split.FULL])
    assert [(found.image, found.policy) for found in plan.findings] == [("train_00", Policy.DROP)]


def test_kept_look_alikes_are_said(leaking: Gathered) -> None:
    plan = make_plan(config(keep_splits=True), leaking)
    assert [(found.image, found.policy) for found in plan.findings] == [("train_00", Policy.KEEP)]
    assert "train_00" in keys(plan.splits[Split.TRAIN])
    assert plan.folds == ()


def test_dropping_all_of_train_is_an_error() -> None:
    pool = [replace(item, thumbnail=scene(0)) for item in (*herd(4, "train"), *herd(2, "val"))]
    with pytest.raises(InputError, match=r"near_duplicate: drop` leaves no picture in train"):
        make_plan(config(keep_splits=True, policies={"near_duplicate": "drop"}), gathered(*pool))


def test_a_table_of_groups_may_name_what_was_left_out(tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("image,group\np_00.jpg,a\np_01,a\npen 3.jpg,a\nt.jpg,b\n")
    chosen = config(groups=[{"by": "file", "file": str(table)}])
    lost = Finding(Kind.UNREADABLE_IMAGE, "pen 3.jpg", "", "pen_3", Policy.DROP)
    plan = make_plan(chosen, gathered(*herd(10), tests=(record("t", 1, 0, "test"),), findings=(lost,)))
    assert plan.groups["p_00"] == plan.groups["p_01"]
    with pytest.raises(InputError, match=r"line 4: `pen 3\.jpg` is no picture of the data set"):
        make_plan(chosen, gathered(*herd(10)))


def test_folds_respect_groups() -> None:
    pool = [replace(item, sha256=str(number // 3)) for number, item in enumerate(herd(18))]
    plan = make_plan(config(folds=3), gathered(*pool))
    assert sum(len(fold) for fold in plan.folds) == 18
    assert sum(len({item.sha256 for item in fold}) for fold in plan.folds) == 6
