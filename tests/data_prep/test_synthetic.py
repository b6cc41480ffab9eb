from __future__ import annotations

import json
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.findings import Kind
from data_prep.gather import Records, gather
from data_prep.progress import silent
from data_prep.readers import AihubReader
from data_prep.store import RawStore
from data_prep.synthetic import draw_herd, scenes
from tests.data_prep.conftest import COW_IMAGES, COW_LABELS, PIG_IMAGES, PIG_LABELS, contents


def read(folder: Path) -> Records:
    with RawStore() as store:
        found = gather(PrepareConfig(source=AihubReader(folder=folder)), store, silent)
    assert {finding.kind for finding in found.findings} == {Kind.IGNORED_FIELD}  # of the categories that mislead
    return found.pool


def test_four_archives_of_the_real_names_and_structure(herd: Path) -> None:
    names = {unicodedata.normalize("NFC", path.name) for path in herd.iterdir()}
    assert names == {PIG_IMAGES, PIG_LABELS, COW_IMAGES, COW_LABELS}
    with zipfile.ZipFile(herd / PIG_LABELS) as archive:
        assert archive.namelist()[0] == "livestock_pig_bbox_000000.json"
        info = json.loads(archive.read("livestock_pig_bbox_000001.json"))["label_info"]
    assert {"image", "annotations", "categories"} == set(info)


def test_herd_is_three_to_one_in_both_formats_with_misleading_categories(tmp_path: Path) -> None:
    draw_herd(tmp_path, images=120, seed=3)
    records = read(tmp_path)
    assert Counter("pig" in record.key for record in records) == {True: 30, False: 90}
    assert {(record.width, record.height) for record in records} == {(320, 180), (213, 160)}
    assert 1 <= sum(not record.boxes for record in records) <= 6
    with zipfile.ZipFile(tmp_path / COW_LABELS) as archive:
        labels = [json.loads(archive.read(name))["label_info"] for name in archive.namelist()]
    ids = {annotation["category_id"] for info in labels for annotation in info["annotations"]}
    assert ids == {1, 2, 3}


def test_animals_have_many_sizes_that_a_detector_can_see(herd: Path) -> None:
    """Lengths at image size 160 in pixels: mostly 15 to 70."""
    longest = np.array(
        [max(b.x2 - b.x1, b.y2 - b.y1) / max(r.width, r.height) * 160 for r in read(herd) for b in r.boxes]
    )
    assert np.mean((longest > 15) & (longest < 70)) > 0.8
    assert longest.std() > 6


def test_boxes_lie_inside_their_pictures(herd: Path) -> None:
    for record in read(herd):
        for box in record.boxes:
            assert 0 <= box.x1 < box.x2 <= record.width
            assert 0 <= box.y1 < box.y2 <= record.height


@pytest.mark.parametrize("species", ["pig", "cow"])
@pytest.mark.parametrize("seed", range(5))
def test_boxes_hold_the_animals_and_little_else(species: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ground with and without its herd differs inside the boxes; outside there are shadows and slivers."""
    monkeypatch.setattr(scenes, "expose", lambda picture, rng: picture)
    monkeypatch.setattr(scenes, "draw_front", lambda picture, outdoors, rng: None)
    full, boxes = scenes.draw_scene(species, 320, 180, False, np.random.default_rng(seed))
    empty, none = scenes.draw_scene(species, 320, 180, True, np.random.default_rng(seed))
    changed = np.abs(full.astype(int) - empty.astype(int)).max(axis=2) > 8
    outside = changed.copy()
    for x1, y1, x2, y2 in boxes:
        assert changed[int(y1) : int(y2), int(x1) : int(x2)].mean() > 0.35
        outside[int(y1) : int(y2), int(x1) : int(x2)] = False
    assert none == []
    assert outside.sum() < 0.25 * changed.sum()


def test_same_seed_same_bytes_other_seed_other_herd(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_herd(tmp_path / name, images=8, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")[PIG_IMAGES] != contents(tmp_path / "c")[PIG_IMAGES]


@pytest.mark.parametrize(("key", "value"), [("images", 1), ("image_scale", 0), ("cow_share", 1.5)])
def test_argument_out_of_range_is_named(tmp_path: Path, key: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"`{key}` \(={value}\) must lie between"):
        draw_herd(tmp_path / "herd", **{key: value})  # type: ignore[arg-type]
    assert not (tmp_path / "herd").exists()
