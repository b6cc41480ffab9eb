from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from data_prep.config import PrepareConfig, load_prepare_config
from data_prep.errors import InputError
from data_prep.readers import AihubReader
from data_prep.validation import describe

GOOD = "source: {reader: aihub, folder: raw}\n"


def load(folder: Path, text: str) -> PrepareConfig:
    (folder / "set.yaml").write_text(text)
    return load_prepare_config(folder / "set.yaml")


def test_relative_paths_are_taken_against_the_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    source = load(tmp_path, GOOD).source
    assert isinstance(source, AihubReader)
    assert source.folder == tmp_path / "raw"
    assert list(source.classes) == ["pig", "cow"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "valid_fracton: 0.1", "unknown key `valid_fracton`; did you mean `valid_fraction`?"),
        ("source: {reader: aihub, foldr: raw}", "key `source.folder` is missing; add it"),
        ("source: {reader: aihub, folder: raw, clases: {}}", "unknown key `source.clases`; did you mean `classes`?"),
        ("source: {reader: coko, folder: raw}", "'aihub', 'coco', 'csv', 'voc', 'yolo'"),
        ("source: {folder: raw}", "key `source.reader` is missing"),
        ("seed: 1", "key `source` is missing"),
        (GOOD + "valid_fraction: 1.5", "key `valid_fraction` (=1.5): Input should be less than 1"),
        (
            GOOD + "count_bins: {pig: [13, 8]}",
            "key `count_bins.pig` (=[13, 8]): thresholds must be positive and ascend",
        ),
        (GOOD + "seed: -1", "key `seed` (=-1)"),
        (
            GOOD + "policies: {box_outside: keep}",
            "key `policies.box_outside` (='keep'): Input should be 'fail', 'drop' or 'clip'; correct it",
        ),
        (GOOD + "policies: {unknown_clas: drop}", "did you mean `unknown_class`?"),
        (GOOD + "stratify: []", "key `stratify` (=[]): Tuple should have at least 1 item"),
        (GOOD + "limits: {archive_ratio: .inf}", "key `limits.archive_ratio` (=inf)"),
        (GOOD + '"a\\nb": 1', r"unknown key `a\nb`"),
        ('source: {reader: "a\\nb"}', "'aihub', 'coco'"),
        (GOOD + "stratify: [class, colour]", "key `stratify.1` (='colour')"),
        (GOOD + "groups: [{by: name, pattern: '('}]", "is no regular expression"),
        (GOOD + "folds: 1", "`folds` must be 0 or at least 2"),
        (GOOD + "keep_splits: true\ntest_fraction: 0.1", "`test_fraction` splits anew and `keep_splits` does not"),
        (GOOD + "background: {images: x, share: 1}", "key `background.share` (=1)"),
        (GOOD + "limits: {image_pixels: 0}", "key `limits.image_pixels` (=0)"),
        (GOOD + "size_thresholds: [1, 2]", "key `size_thresholds"),
    ],
)
def test_wrong_key_or_value_is_named_in_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'set.yaml'}: ")
    assert complaint in message
    assert "\n" not in message


def test_config_cannot_be_changed(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_describe_needs_neither_data_nor_model() -> None:
    with pytest.raises(ValidationError) as caught:
        PrepareConfig.model_validate({"source": {"reader": "yolo", "data": "x", "typo": 1}, "seed": "a"})
    assert describe(caught.value) == (
        "unknown key `source.yolo.typo`; remove it or correct its spelling (1 more after that)"
    )


def test_every_field_is_documented() -> None:
    for name, field in PrepareConfig.model_fields.items():
        assert field.description, name
