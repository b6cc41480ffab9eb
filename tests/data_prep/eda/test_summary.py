from __future__ import annotations

import json

from data_prep.eda.summary import EdaSummary, summarise
from data_prep.eda.tables import build_tables
from data_prep.findings import Finding
from data_prep.labels import SIZE_NAMES
from data_prep.records import ImageRecord
from tests.data_prep.eda.conftest import NAMES, STRATIFICATION


def summary_of(records: list[ImageRecord], findings: list[Finding]) -> EdaSummary:
    splits = {"train": records[:3], "mini_train": records[3:]}
    tables = build_tables(records, NAMES, findings, splits, STRATIFICATION)
    return summarise(tables, "herd", list(splits), STRATIFICATION)


def test_it_counts_what_was_counted_by_hand(records: list[ImageRecord], findings: list[Finding]) -> None:
    found = summary_of(records, findings)
    assert (found.images, found.boxes, found.background) == (5, 7, 2)
    assert found.boxes_of_class == {"pig": 3, "cow": 4}
    assert found.images_of_class == {"pig": 2, "cow": 2}
    assert found.splits == {
        "train": {"images": 3, "boxes": 4, "background": 1, "boxes of pig": 3, "boxes of cow": 1},
        "mini_train": {"images": 2, "boxes": 3, "background": 1, "boxes of pig": 0, "boxes of cow": 3},
    }
    assert list(found.image_sizes.items()) == [("400x300", 4), ("200x200", 1)]
    assert found.boxes_per_image == {"mean": 1.4, "median": 2.0, "max": 3}
    assert found.count_bins == {
        "pig": {"little": 1, "medium": 1, "many": 0}, "cow": {"little": 1, "medium": 0, "many": 1}
    }  # fmt: skip
    assert found.ratio_classes == {
        "pig": {"horizontal": 0, "square": 3, "vertical": 0}, "cow": {"horizontal": 1, "square": 2, "vertical": 1}
    }  # fmt: skip
    sizes = {name: dict.fromkeys(SIZE_NAMES, 0) for name in NAMES}
    sizes["pig"] |= {"very small": 2, "medium": 1}
    sizes["cow"] |= {"very small": 1, "small": 1, "medium": 1, "large": 1}
    assert found.size_classes == sizes
    assert found.small_boxes == {"pig": 2, "cow": 2}
    assert found.findings == {
        "box_outside": {"clip": 2},
        "ignored_field": {"keep": 1},
        "size_disagreement": {"keep": 1},
    }


def test_it_is_plain_json(records: list[ImageRecord], findings: list[Finding]) -> None:
    for found in (summary_of(records, findings), summary_of([], [])):
        assert json.loads(json.dumps(found.as_dict(), allow_nan=False)) == found.as_dict()


def test_nothing_counts_as_zero() -> None:
    found = summary_of([], [])
    assert (found.images, found.boxes, found.background) == (0, 0, 0)
    assert found.boxes_of_class == {"pig": 0, "cow": 0}
    assert found.image_sizes == {}
    assert found.boxes_per_image == {"mean": 0, "median": 0, "max": 0}
