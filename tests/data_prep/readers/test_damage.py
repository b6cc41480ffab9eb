"""Damaged labels end in the one-sentence error or in flaws: never in a traceback, never in a wrong label."""

from __future__ import annotations

import copy
import json
import math
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import InputError
from data_prep.readers import AihubReader, CocoReader, CsvReader, Reader, VocReader, YoloReader
from data_prep.records import UNKNOWN_CLASS_ID, RawDataset
from tests.data_prep.readers import builders, literal
from tests.data_prep.readers.builders import PICTURES, read
from tests.data_prep.readers.damage import damage
from tests.data_prep.readers.literal import Row

NAMES = ("pig", "cow")
#: How often every format is damaged by bytes.
ROUNDS = 250


@dataclass(frozen=True)
class Case:
    """A small data set of one format, and the label in it that is damaged.

    Attributes:
        reader:
            Reads it.
        label:
            Content of the label as it was.
        write:
            Puts other content in its place.
        literally:
            Reads that content in another way.
        others:
            The boxes of the pictures that the label does not describe.
    """

    reader: Reader
    label: bytes
    write: Callable[[bytes], object]
    literally: Callable[[bytes], Iterable[Row]]
    others: frozenset[Row] = frozenset()


def coco_case(folder: Path) -> Case:
    path, images = builders.write_coco(folder, PICTURES, NAMES)
    return Case(CocoReader(annotations=path, images=images), path.read_bytes(), path.write_bytes, literal.coco)


def csv_case(folder: Path) -> Case:
    path, images = builders.write_table(folder, PICTURES)
    reader = CsvReader(annotations=path, images=images, classes=NAMES)
    return Case(reader, path.read_bytes(), path.write_bytes, literal.table)


def voc_case(folder: Path) -> Case:
    annotations, images = builders.write_voc(folder, PICTURES)
    path = annotations / "a.xml"
    reader = VocReader(annotations=annotations, images=images, classes=NAMES)
    return Case(reader, path.read_bytes(), path.write_bytes, lambda content: literal.voc(content, "a.jpg"), _others())


def yolo_case(folder: Path) -> Case:
    data = builders.write_yolo_set(folder, PICTURES, NAMES)
    path = data.parent / "labels" / "val" / "a.txt"

    def literally(content: bytes) -> Iterable[Row]:
        return literal.yolo(content, "a.jpg", NAMES)

    others = {row for one in PICTURES[1:] for row in literal.yolo(builders.yolo(one, NAMES).encode(), one.file, NAMES)}
    return Case(YoloReader(data=data), path.read_bytes(), path.write_bytes, literally, frozenset(others))


def aihub_case(folder: Path) -> Case:
    classes = builders.write_aihub(folder, PICTURES)
    original = {picture.stem: json.dumps(builders.aihub(picture)).encode() for picture in PICTURES}

    def write(content: bytes) -> None:
        with zipfile.ZipFile(folder / "labels.zip", "w") as archive:
            for stem, text in (original | {"a": content}).items():
                archive.writestr(f"{stem}.json", text)

    def literally(content: bytes) -> Iterable[Row]:
        return literal.aihub(content, "a.jpg", "pig")

    others = frozenset((file, "pig", *corners) for file, _, *corners in _others())
    return Case(AihubReader(folder=folder, classes=classes), original["a"], write, literally, others)


def _others() -> frozenset[Row]:
    return frozenset((picture.file, *box) for picture in PICTURES[1:] for box in picture.boxes)


CASES = {"coco": coco_case, "csv": csv_case, "voc": voc_case, "yolo": yolo_case, "aihub": aihub_case}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    return CASES[request.param](tmp_path)


def test_the_undamaged_label_is_read_as_it_stands(case: Case) -> None:
    raw = read(case.reader)
    assert set(rows(raw)) == {*case.literally(case.label), *case.others}
    assert len(rows(raw)) == 6
    assert not [flaw for image in raw.images for flaw in image.flaws]


def test_damaged_bytes(case: Case) -> None:
    rng = random.Random(20)
    outcomes: Counter[str] = Counter()
    for _ in range(ROUNDS):
        content = damage(case.label, rng)
        case.write(content)
        raw = read_or_refuse(case.reader)
        outcomes["refused" if raw is None else "flawed" if builders.kinds(raw) else "read"] += 1
        if raw is not None:
            check(raw, case, content)
    assert sum(outcomes.values()) == ROUNDS
    assert outcomes["refused"] + outcomes["flawed"] > ROUNDS / 3, outcomes


def read_or_refuse(reader: Reader) -> RawDataset | None:
    """Read; None where that ends in the one-sentence error."""
    try:
        return read(reader)
    except InputError as error:
        message = str(error)
    assert message.isprintable()
    return None


def check(raw: RawDataset, case: Case, content: bytes) -> None:
    """Hold a result against what the damaged label literally says."""
    try:
        said = set(case.literally(content))
    except (ValueError, TypeError, LookupError, AttributeError, SyntaxError, RecursionError):
        said = set()
    # Of a box with an unknown class the name does not matter; that it is not to be used, its flaw says.
    corners = {(row[0], *row[2:]) for row in said}
    found = rows(raw)
    for row in found:
        assert row in said | case.others or (row[1] == "?" and (row[0], *row[2:]) in corners), (row, content)
    assert case.others <= set(found)
    assert len({image.key for image in raw.images}) == len(raw.images)
    for image in raw.images:
        unknown = {index for index, box in enumerate(image.boxes) if box.class_id == UNKNOWN_CLASS_ID}
        assert unknown <= {flaw.box for flaw in image.flaws}
        for flaw in image.flaws:
            assert flaw.box is None or 0 <= flaw.box < len(image.boxes)
            assert flaw.detail.isprintable()
            assert str(raw.root) not in flaw.detail + flaw.file
    for finding in raw.findings:
        assert f"{finding.file}{finding.detail}".isprintable()


def rows(raw: RawDataset) -> list[Row]:
    """All boxes of a data set; the class that is not known is ``?``."""
    found = []
    for image in raw.images:
        for name, *corners in builders.named_boxes(raw, image):
            assert all(map(math.isfinite, corners))
            found.append((image.source.name if image.source else image.key, name, *corners))
    return found


#: What takes the place of one value; none of them stands in the data sets.
STRANGE: tuple[Any, ...] = (
    None, True, False, "12", "", "pig", -7, 0, 1, 1.5, 1e308, -1e308, 10**400, math.nan, math.inf,
    [], {}, [1], [1, 2, 3, 4], {"a": 1}, "x" * 500, "\ud800", "a\nb",
)  # fmt: skip


def test_one_changed_value_of_an_annotation_touches_no_other_box_of_coco(tmp_path: Path) -> None:
    case = coco_case(tmp_path)
    parsed = json.loads(case.label)
    everything = rows(read(case.reader))
    changes = 0
    for number in range(len(parsed["annotations"])):
        touched = [*literal.coco(json.dumps({**parsed, "annotations": [parsed["annotations"][number]]}).encode())]
        for damaged in changed_values(parsed, ["annotations", number]):
            raw, content = write_and_read(case, damaged)
            assert raw is not None
            check(raw, case, content)
            assert_only_touched(raw, everything, touched, content)
            changes += 1
    assert changes > 1000


def test_one_changed_value_of_a_picture_or_category_of_coco_makes_no_wrong_box(tmp_path: Path) -> None:
    case = coco_case(tmp_path)
    parsed = json.loads(case.label)
    everything = rows(read(case.reader))
    for number, picture in enumerate(PICTURES):
        touched = [row for row in everything if row[0] == picture.file]
        for damaged in changed_values(parsed, ["images", number]):
            raw, content = write_and_read(case, damaged)
            assert raw is not None
            check(raw, case, content)
            if damaged["images"][number] not in parsed["images"]:
                # An id that another picture has makes the boxes of both doubtful.
                twice = [one["id"] for one in damaged["images"] if isinstance(one, dict) and "id" in one].count(100) > 1
                assert_only_touched(raw, everything, everything if twice else touched, content)
    for number in range(2):
        for damaged in changed_values(parsed, ["categories", number]):
            raw, content = write_and_read(case, damaged)
            if raw is not None:
                check(raw, case, content)
                assert len(rows(raw)) == len(everything)


def test_one_changed_value_touches_no_other_box_of_aihub(tmp_path: Path) -> None:
    case = aihub_case(tmp_path)
    parsed = json.loads(case.label)
    everything = rows(read(case.reader))
    for number in range(2):
        touched = [("a.jpg", "pig", *PICTURES[0].boxes[number][1:])]
        for damaged in changed_values(parsed, ["label_info", "annotations", number]):
            raw, content = write_and_read(case, damaged)
            assert raw is not None
            check(raw, case, content)
            assert_only_touched(raw, everything, touched, content)


@pytest.mark.parametrize("name", ["csv", "yolo", "voc"])
def test_one_changed_word_touches_no_other_box(name: str, tmp_path: Path) -> None:
    case = CASES[name](tmp_path)
    everything = rows(read(case.reader))
    text = case.label.decode()
    spans = [*re.finditer({"csv": r"[^,\n]+", "yolo": r"[^ \n]+", "voc": r"(?<=>)[^<>]+"}[name], text)]
    header = text.index("\n") if name == "csv" else 0
    words = ["nan", "inf", "1e999", "True", "", "0x1", "1_0", "-0.3", "0.25", "1.5", "300", "pig", "cow", "dog", "９"]
    for span in spans:
        for word in words:
            content = f"{text[: span.start()]}{word}{text[span.end() :]}".encode()
            case.write(content)
            raw = read_or_refuse(case.reader)
            if span.start() < header:
                assert raw is None
                continue
            assert raw is not None
            check(raw, case, content)
            missing = Counter(everything) - Counter(rows(raw))
            assert missing.total() <= 1
            if missing.total() > (Counter(rows(raw)) - Counter(everything)).total():
                assert builders.kinds(raw)


def write_and_read(case: Case, damaged: Any) -> tuple[RawDataset | None, bytes]:
    content = json.dumps(damaged).encode()
    case.write(content)
    return read_or_refuse(case.reader), content


def assert_only_touched(raw: RawDataset, everything: list[Row], touched: list[Row], content: bytes) -> None:
    """Assert that all other boxes are there, and that the touched ones are there or missed in so many words."""
    found = Counter(rows(raw))
    missing = Counter(everything) - found
    assert not missing - Counter(touched), content
    if sum(found.values()) < len(everything):
        assert builders.kinds(raw), content


def changed_values(parsed: Any, path: list[str | int]) -> Iterator[Any]:
    """Yield copies of a JSON in which one value at or below ``path`` is another, or gone."""
    for place in places(parsed, path):
        for strange in STRANGE:
            damaged = copy.deepcopy(parsed)
            _parent(damaged, place)[place[-1]] = strange
            yield damaged
        if isinstance(place[-1], str):
            damaged = copy.deepcopy(parsed)
            del _parent(damaged, place)[place[-1]]
            yield damaged


def places(parsed: Any, path: list[str | int]) -> Iterator[list[str | int]]:
    """Yield ``path`` and the paths of everything below it."""
    yield path
    value = _parent(parsed, path)[path[-1]]
    keys = [*value] if isinstance(value, dict) else [*range(len(value))] if isinstance(value, list) else []
    for key in keys:
        yield from places(parsed, [*path, key])


def _parent(parsed: Any, path: list[str | int]) -> Any:
    for key in path[:-1]:
        parsed = parsed[key]
    return parsed
