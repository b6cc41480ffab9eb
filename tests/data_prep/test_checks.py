from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.checks import MIN_SIDE, Checked, check_images, drop_duplicates
from data_prep.findings import SEVERITIES, Finding, Flaw, Kind, Policy
from data_prep.images import Examination
from data_prep.policies import Policies
from data_prep.records import UNKNOWN_CLASS_ID, Box, ImageRecord, RawDataset, RawImage, Source

ROOT = Path("/raw")
INSIDE = Box(0, 10, 10, 20, 30)


def seen(width: int = 100, height: int = 50, flaw: Flaw | None = None) -> Examination:
    return Examination(width, height, sha256="a" * 64, thumbnail=b"", flaw=flaw)


def image(*boxes: Box, **settings: object) -> RawImage:
    return RawImage("a", Source(ROOT / "sub" / "a.jpg"), boxes, **settings)  # type: ignore[arg-type]


def check(raw: RawImage, look: Examination | None = None, **policies: str) -> Checked:
    dataset = RawDataset(("pig", "cow"), (raw,), ROOT)
    return check_images(dataset, [look or seen()], Policies.model_validate(policies), {})


def kinds(checked: Checked) -> list[tuple[Kind, Policy]]:
    return [(finding.kind, finding.policy) for finding in checked.findings]


def test_sound_picture_passes_as_it_is() -> None:
    checked = check(image(INSIDE, Box(1, 0, 0, 100, 50), stated_size=(100, 50)))
    assert checked.findings == ()
    (record,) = checked.records
    assert record.boxes == (INSIDE, Box(1, 0, 0, 100, 50))
    assert (record.width, record.height, record.sha256) == (100, 50, "a" * 64)


def test_fractions_become_pixels() -> None:
    (record,) = check(image(Box(0, 0.1, 0.2, 0.5, 1.0), normalised=True)).records
    assert record.boxes == (Box(0, 10, 10, 50, 50),)


@pytest.mark.parametrize(
    ("box", "policy", "applied", "left"),
    [
        (Box(0, -5, 10, 20, 60), "clip", Policy.CLIP, (Box(0, 0, 10, 20, 50),)),
        (Box(0, -5, 10, 20, 60), "drop", Policy.DROP, ()),
        (Box(0, -5, 10, 20, 60), "fail", Policy.FAIL, ()),
        (Box(0, 200, 10, 220, 20), "clip", Policy.DROP, ()),  # wholly outside: nothing is left to clip
    ],
)
def test_box_outside_follows_its_policy(box: Box, policy: str, applied: Policy, left: tuple[Box, ...]) -> None:
    checked = check(image(box), box_outside=policy)
    assert kinds(checked) == [(Kind.BOX_OUTSIDE, applied)]
    assert checked.records[0].boxes == left


def test_boxes_without_picture_are_not_cut_at_a_size_that_is_only_stated() -> None:
    over = Box(0, -5, 10, 200, 60)
    checked = check(RawImage("a", None, (over,), stated_size=(100, 50)))
    assert kinds(checked) == [(Kind.BOX_OUTSIDE, Policy.KEEP)]
    assert checked.records[0].boxes == (over,)


@pytest.mark.parametrize("box", [Box(0, 10, 10, 10, 20), Box(0, 20, 10, 10, 20), Box(0, 10, 20, 20, 10)])
def test_box_without_area_is_dropped_and_never_turned_round(box: Box) -> None:
    checked = check(image(box, INSIDE))
    assert kinds(checked) == [(Kind.BOX_WITHOUT_AREA, Policy.DROP)]
    assert checked.records[0].boxes == (INSIDE,)


def test_rounding_of_a_yolo_label_is_no_finding() -> None:
    checked = check(image(Box(0, -0.002, 0, 10, 50.001)))
    assert checked.findings == ()
    assert checked.records[0].boxes == (Box(0, 0, 0, 10, 50),)


@pytest.mark.parametrize(("policy", "count"), [("drop", 1), ("keep", 2)])
def test_duplicate_boxes_follow_their_policy(policy: str, count: int) -> None:
    checked = check(image(INSIDE, INSIDE), duplicate_box=policy)
    assert kinds(checked) == [(Kind.DUPLICATE_BOX, Policy(policy))]
    assert checked.records[0].boxes == (INSIDE,) * count


def test_boxes_that_differ_only_outside_are_duplicates() -> None:
    checked = check(image(Box(0, -5, 10, 20, 30), Box(0, -9, 10, 20, 30)))
    assert [kind for kind, _ in kinds(checked)] == [Kind.BOX_OUTSIDE, Kind.BOX_OUTSIDE, Kind.DUPLICATE_BOX]
    assert checked.records[0].boxes == (Box(0, 0, 10, 20, 30),)


@pytest.mark.parametrize(("policy", "left"), [("drop", (INSIDE,)), ("keep", (Box(0, 1, 1, 9, 9), INSIDE))])
def test_flaw_of_a_box_takes_that_box_alone(policy: str, left: tuple[Box, ...]) -> None:
    raw = image(Box(0, 1, 1, 9, 9), INSIDE, flaws=(Flaw(Kind.CROWD_BOX, "", box=0),))
    assert check(raw, crowd_box=policy).records[0].boxes == left


def test_same_corners_of_two_classes_are_two_boxes() -> None:
    other = Box(1, INSIDE.x1, INSIDE.y1, INSIDE.x2, INSIDE.y2)
    assert check(image(INSIDE, other)).records[0].boxes == (INSIDE, other)


def test_unknown_class_never_becomes_a_label() -> None:
    unknown = Box(UNKNOWN_CLASS_ID, 1, 1, 9, 9)
    checked = check(image(unknown, INSIDE, flaws=(Flaw(Kind.UNKNOWN_CLASS, "dog", box=0),)), unknown_class="drop")
    assert kinds(checked) == [(Kind.UNKNOWN_CLASS, Policy.DROP)]
    assert checked.records[0].boxes == (INSIDE,)
    assert check(image(unknown)).records[0].boxes == ()  # even where a reader forgot to say so


@pytest.mark.parametrize(("policy", "stays"), [("fail", False), ("drop", False), ("keep", True)])
def test_size_disagreement_follows_its_policy(policy: str, stays: bool) -> None:
    checked = check(image(INSIDE, stated_size=(50, 100)), size_disagreement=policy)
    assert kinds(checked) == [(Kind.SIZE_DISAGREEMENT, Policy(policy))]
    assert "50 x 100" in checked.findings[0].detail
    assert "100 x 50" in checked.findings[0].detail
    assert bool(checked.records) is stays


@pytest.mark.parametrize(("width", "height", "found"), [(9, 50, True), (50, 9, True), (10, 10, False)])
def test_picture_that_yolov5_would_pass_over_is_dropped_aloud(width: int, height: int, found: bool) -> None:
    checked = check(image(), seen(width, height))
    assert kinds(checked) == [(Kind.UNDERSIZED_IMAGE, Policy.DROP)] * found
    assert bool(checked.records) is not found


def test_unreadable_picture_takes_its_label_along_and_all_is_reported() -> None:
    raw = image(INSIDE, flaws=(Flaw(Kind.DIFFICULT_BOX, "", box=0),), stated_size=(1, 1))
    checked = check(raw, seen(0, 0, Flaw(Kind.UNREADABLE_IMAGE, "cut")), unreadable_image="drop")
    assert checked.records == ()
    assert kinds(checked) == [(Kind.UNREADABLE_IMAGE, Policy.DROP), (Kind.DIFFICULT_BOX, Policy.KEEP)]


@pytest.mark.parametrize("policy", ["fail", "drop"])
def test_unreadable_label_leaves_no_half_labelled_picture(policy: str) -> None:
    checked = check(image(INSIDE, flaws=(Flaw(Kind.UNREADABLE_LABEL, "row 2", file="a.txt"),)), unreadable_label=policy)
    assert checked.records == ()
    assert checked.findings == (Finding(Kind.UNREADABLE_LABEL, "a.txt", "row 2", "a", Policy(policy)),)


def test_format_says_what_an_image_without_label_means_unless_the_user_does() -> None:
    raw = RawDataset(("pig",), (image(flaws=(Flaw(Kind.IMAGE_WITHOUT_LABEL, "none"),)),), ROOT)
    usual = {Kind.IMAGE_WITHOUT_LABEL: Policy.KEEP}
    assert len(check_images(raw, [seen()], Policies(), usual).records) == 1
    assert len(check_images(raw, [seen()], Policies(), {}).records) == 0
    assert len(check_images(raw, [seen()], Policies(image_without_label=Policy.DROP), usual).records) == 0


def test_findings_name_files_without_the_place() -> None:
    assert check(image(Box(0, 5, 5, 5, 5))).findings[0].file == "sub/a.jpg"


def test_findings_of_the_whole_set_get_their_policy() -> None:
    raw = RawDataset(
        (), (), ROOT, (Finding(Kind.LABEL_WITHOUT_IMAGE, "b.json", ""), Finding(Kind.IGNORED_FIELD, "", ""))
    )
    found = check_images(raw, [], Policies(), {}).findings
    assert [finding.policy for finding in found] == [Policy.FAIL, Policy.KEEP]


corner = st.floats(-300, 300, allow_nan=False)
boxes = st.builds(Box, st.integers(UNKNOWN_CLASS_ID, 1), corner, corner, corner, corner)


@settings(max_examples=300, deadline=None)
@given(st.lists(boxes, max_size=6), st.integers(10, 200), st.integers(10, 200))
def test_whatever_comes_in_what_goes_out_is_a_label_or_a_finding(raw: list[Box], width: int, height: int) -> None:
    checked = check(image(*raw), seen(width, height))
    left = checked.records[0].boxes
    for box in left:
        assert box.class_id in (0, 1)
        assert 0 <= box.x1 < box.x2 <= width
        assert 0 <= box.y1 < box.y2 <= height
    known = [box for box in raw if box.class_id != UNKNOWN_CLASS_ID]
    dropped = [finding for finding in checked.findings if finding.policy is Policy.DROP]
    assert len(left) == len(known) - len(dropped)
    untouched = [box for box in left if box in raw]
    inside_by_rounding = sum(finding.policy is Policy.CLIP for finding in checked.findings)
    assert len(left) - len(untouched) - inside_by_rounding <= sum(
        min(box.x1, box.y1, width - box.x2, height - box.y2) >= -MIN_SIDE for box in known
    )


def record(key: str, sha256: str, split: str | None = None, *boxes: Box) -> ImageRecord:
    return ImageRecord(key, Source(Path(f"{key}.jpg")), 9, 9, boxes, split, sha256)


def test_exact_duplicates_are_found_and_a_test_picture_is_the_original() -> None:
    listed = [
        record("b", "1"),
        record("a", "1"),
        record("c", "2"),
        record("t", "2", "test"),
        record("n", ""),
        record("m", ""),
    ]
    kept = drop_duplicates(listed, Policies())
    assert kept.records == tuple(listed)
    assert [(finding.image, finding.detail) for finding in kept.findings] == [
        ("b", "the same picture as a.jpg"), ("c", "the same picture as t.jpg"),
    ]  # fmt: skip
    dropped = drop_duplicates(listed, Policies(exact_duplicate=Policy.DROP))
    assert [item.key for item in dropped.records] == ["a", "t", "n", "m"]


def test_what_is_judged_on_is_never_dropped_for_a_copy_in_training() -> None:
    listed = [record("a", "1", "train"), record("b", "1", "val"), record("c", "1", "test")]
    kept = drop_duplicates(listed, Policies(exact_duplicate=Policy.DROP)).records
    assert [item.key for item in kept] == ["c"]
    kept = drop_duplicates(listed[:2], Policies(exact_duplicate=Policy.DROP)).records
    assert [item.key for item in kept] == ["b"]


def test_duplicates_with_other_boxes_are_told_apart() -> None:
    found = drop_duplicates([record("a", "1", None, INSIDE), record("b", "1")], Policies())
    assert found.findings[0].detail.endswith("with other boxes")


def test_every_kind_has_a_severity_and_every_policy_a_kind() -> None:
    assert set(SEVERITIES) == set(Kind)
    assert set(Policies.model_fields) <= {kind.value for kind in Kind}


def test_half_a_million_boxes_are_checked_at_once() -> None:
    many = [Box(0, number % 1000 / 10, number // 1000 / 10, 100, 50) for number in range(400_000)]
    assert len(check(image(*many, *many[:5])).records[0].boxes) == 400_000
