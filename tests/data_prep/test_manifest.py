from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.manifest import MANIFEST_NAME, Manifest, hash_inputs, read_manifest, summarise
from data_prep.records import Box, ImageRecord, Source


def make(seed: int = 42) -> Manifest:
    record = ImageRecord("a", Source(Path("a.jpg")), 9, 9, (Box(1, 0, 0, 3, 3),))
    summary = summarise([record], ("pig", "cow"))
    return Manifest(
        names=("돼지", "cow"),
        seed=seed,
        config={"bins": (1, 2)},
        inputs_sha256="0",
        findings={"box_outside": {"clip": 1}},
        groups=1,
        groups_sha256="1",
        splits={"train": summary},
    )


def test_manifest_survives_the_file(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(make().to_bytes())
    found = read_manifest(tmp_path)
    assert found is not None
    assert found.to_bytes() == make().to_bytes()
    assert found.digest == make().digest
    assert found.same_origin(make())


def test_another_seed_is_another_origin_and_digest() -> None:
    assert not make().same_origin(make(seed=1))
    assert make().digest != make(seed=1).digest


def test_boxes_are_counted_per_class_name() -> None:
    assert make().splits["train"].boxes == {"pig": 0, "cow": 1}


def test_folder_without_manifest_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "nowhere") is None


def test_foreign_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_text("not json")
    with pytest.raises(InputError, match=r"manifest.json is no manifest of this version"):
        read_manifest(tmp_path)


def test_fifo_is_no_manifest_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST_NAME)
    assert read_manifest(tmp_path) is None


def test_another_format_is_named(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(make().to_bytes().replace(b'"format": 2', b'"format": 3'))
    with pytest.raises(InputError, match=r"key `format` \(=3\).*or remove that file"):
        read_manifest(tmp_path)


def test_inputs_are_told_apart_by_all_that_counts_and_not_by_order_or_place() -> None:
    record = ImageRecord("a", Source(Path("a.jpg")), 9, 8, (Box(1, 0, 0, 3, 3),), "train", "ab")
    others = [
        replace(record, key="b"),
        replace(record, width=8),
        replace(record, boxes=(Box(1, 0, 0, 3, 3.5),)),
        replace(record, source_split="val"),
        replace(record, sha256="cd"),
    ]
    assert len({hash_inputs([item]) for item in (record, *others)}) == 6
    assert hash_inputs([record, *others]) == hash_inputs([*others, record])
    assert hash_inputs([record]) == hash_inputs([replace(record, source=Source(Path("/z/b.zip"), "c.jpg"))])
