from __future__ import annotations

import pytest
from pydantic import ValidationError

from data_prep.labels import LabelKind, Stratification, bin_name, labels_of, ratio_name, size_name
from data_prep.records import Box, ImageRecord
from tests.data_prep.herds import BINS, NAMES, answer_herd, record


def boxed(*sides: tuple[float, float], class_id: int = 0) -> ImageRecord:
    """A picture with one box per ``(width, height)``."""
    return ImageRecord("a", None, 2000, 2000, tuple(Box(class_id, 7, 9, 7 + w, 9 + h) for w, h in sides))


@pytest.mark.parametrize(
    ("pigs", "cows", "labels"),
    [
        (0, 0, {"background"}),
        (1, 0, {"class pig", "count pig little"}),
        (7, 0, {"class pig", "count pig little"}),
        (8, 3, {"class pig", "count pig medium", "class cow", "count cow little"}),
        (12, 4, {"class pig", "count pig medium", "class cow", "count cow medium"}),
        (13, 5, {"class pig", "count pig many", "class cow", "count cow medium"}),
        (0, 6, {"class cow", "count cow many"}),
    ],
)
def test_by_default_a_picture_carries_its_classes_and_their_counts(pigs: int, cows: int, labels: set[str]) -> None:
    assert labels_of(record("a", pigs, cows), NAMES, Stratification(count_bins=BINS)) == labels


def test_a_class_without_bins_of_its_own_gets_the_default() -> None:
    found = labels_of(record("a", pigs=4, cows=4), NAMES, Stratification(count_bins={"cow": (5, 9)}))
    assert found == {"class pig", "class cow", "count pig medium", "count cow little"}


@pytest.mark.parametrize(
    ("thresholds", "names"),
    [
        ((), ["1+", "1+", "1+", "1+", "1+"]),
        ((4,), ["1-3", "1-3", "1-3", "4+", "4+"]),
        ((2, 4), ["little", "medium", "medium", "many", "many"]),
        ((2, 3, 5), ["1", "2", "3-4", "3-4", "5+"]),
        ((1, 2, 3), ["1", "2", "3+", "3+", "3+"]),
    ],
)
def test_bins_are_named_by_words_or_by_their_counts(thresholds: tuple[int, ...], names: list[str]) -> None:
    assert [bin_name(count, thresholds) for count in range(1, 6)] == names


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [
        (60, 40, "horizontal"),
        (40, 60, "vertical"),
        (59, 41, "square"),
        (41, 59, "square"),
        (50, 50, "square"),
        (9, 0, "horizontal"),
        (0, 9, "vertical"),
        (0, 0, "square"),
    ],
)
def test_a_box_is_horizontal_or_vertical_from_the_threshold_on(width: float, height: float, name: str) -> None:
    assert ratio_name(Box(0, 0, 0, width, height), 0.6) == name


@pytest.mark.parametrize(
    ("area", "name"),
    [
        (99, "out"), (100, "very small"), (999, "very small"), (1_000, "small"), (9_999, "small"), (10_000, "medium"),
        (49_999, "medium"), (50_000, "large"), (99_999, "large"), (100_000, "very large"),
    ],
)  # fmt: skip
def test_size_classes_begin_at_their_thresholds(area: float, name: str) -> None:
    assert size_name(Box(0, 0, 0, area, 1), Stratification().size_thresholds) == name


def test_each_ratio_and_size_that_is_present_is_one_label() -> None:
    picture = boxed((30, 10), (30, 11), (10, 30), (400, 400))
    kinds = Stratification(kinds=(LabelKind.RATIO, LabelKind.SIZE))
    shapes = {"ratio horizontal", "ratio vertical", "ratio square"}
    assert labels_of(picture, NAMES, kinds) == {*shapes, "size very small", "size very large"}


@pytest.mark.parametrize("kind", list(LabelKind))
def test_an_empty_picture_is_background_whatever_the_kind(kind: LabelKind) -> None:
    assert labels_of(record("a"), NAMES, Stratification(kinds=(kind,))) == {"background"}


@pytest.mark.parametrize(
    "settings",
    [
        {"kinds": ()},
        {"kinds": ("colour",)},
        {"count_bins": {"pig": (8, 8)}},
        {"count_bins": {"pig": (13, 8)}},
        {"default_count_bins": (0, 4)},
        {"size_thresholds": (1, 2, 3, 4)},
        {"size_thresholds": (1, 2, 3, 5, 4)},
        {"ratio_threshold": 0.5},
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Stratification.model_validate(settings)


def test_the_real_boxes_have_the_published_numbers_of_pictures() -> None:
    """538 pictures with pigs and 1519 with cows: counted in the CSV with the shell."""
    labels = [labels_of(image, NAMES, Stratification(count_bins=BINS)) for image in answer_herd()]
    assert sum("class pig" in found for found in labels) == 538
    assert sum("class cow" in found for found in labels) == 1519
    assert sum("count cow many" in found for found in labels) == 174
