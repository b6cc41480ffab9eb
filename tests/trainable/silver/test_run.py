"""The data set that `hypsweep silver` writes."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from data_prep.check import check
from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError, WorkFailedError
from data_prep.manifest import read_manifest
from data_prep.silver.rule import SilverRule
from tests.shapes import draw_shapes
from tests.trainable.silver.sets import OPTIONS, RULE, herd, noise, untrained, write_data
from trainable.dataset import DataStore
from trainable.image_bank import ImagePolicy
from trainable.silver import predict
from trainable.silver.file import SILVER_PARQUET, read_pictures
from trainable.silver.run import SilverOptions, make_silver
from trainable.silver.summary import SilverSummary
from trainable.silver.training import labels_by_name
from trainable.thresholds.seen import has_seen
from trainable.weights import load_checkpoint

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Discs and squares, of which one picture has no label file and one a label twice, without a line feed."""
    folder = tmp_path_factory.mktemp("gold")
    data = draw_shapes(folder, train=8, val=4, seed=11)
    for kind in ("images", "labels"):
        for path in (folder / kind / "val").iterdir():
            path.rename(path.with_name(f"v{path.name}"))
    label = folder / "labels" / "train" / "000.txt"
    label.write_text(label.read_text() + label.read_text().rstrip("\n"))
    return data


@pytest.fixture(scope="module")
def source(gold: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """New pictures, one of them with a name that gold has; gold ones; copies; leaks; rubbish."""
    folder = tmp_path_factory.mktemp("source")
    images = gold.parent / "images"
    noise(folder / "000.png", 1)
    noise(folder / "new.jpg", 2)
    shutil.copy(folder / "new.jpg", folder / "renamed copy.jpg")
    shutil.copy(images / "train" / "001.png", folder / "other name.png")
    shutil.copy(images / "train" / "000.png", folder / "zero.png")
    shutil.copy(images / "val" / "v001.png", folder / "leak.png")
    picture = cv2.imread(str(images / "val" / "v002.png"))
    cv2.imwrite(str(folder / "near.jpg"), cv2.resize(picture, (300, 200)), [cv2.IMWRITE_JPEG_QUALITY, 80])
    (folder / "rubbish.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def made(gold: Path, source: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> SilverSummary:
    return make_silver(weights, gold, tmp_path_factory.mktemp("out") / "set", source, OPTIONS)


def copied(gold: Path, folder: Path) -> None:
    """Another copy of the data set, which does not lead back to this one."""
    shutil.copytree(gold.parent, folder)
    values = yaml.safe_load(gold.read_text())
    del values["path"]
    (folder / "data.yaml").write_text(yaml.safe_dump(values))


def rows(found: SilverSummary) -> dict[str, dict[str, str]]:
    with found.data.with_name("silver.csv").open() as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_what_becomes_of_each_picture(made: SilverSummary) -> None:
    table = rows(made)
    assert set(table) == {
        "images/train/000.png", "images/train/001.png", "images/train/silver_000.png", "images/train/new.jpg",
        "leak.png", "near.jpg", "renamed copy.jpg", "rubbish.jpg",
    }  # fmt: skip
    assert table["leak.png"]["verdict"] == "looks like val or test: the same picture as val/v001.png"
    assert table["near.jpg"]["verdict"].startswith("looks like val or test: looks the same as val/v002.png")
    assert table["renamed copy.jpg"]["verdict"] == "offered twice: the same picture as new.jpg"
    assert table["rubbish.jpg"]["verdict"].startswith("cannot be read: is no JPEG")
    for name, kind in (("000.png", "gold"), ("001.png", "gold"), ("silver_000.png", "new"), ("new.jpg", "new")):
        row = table[f"images/train/{name}"]
        assert (row["kind"], row["verdict"]) == (kind, "taken")
        assert int(row["predicted_boxes"]) == int(row["added_boxes"]) + int(row["dropped_boxes"]) >= RULE.min_boxes
    assert made.counts() == {
        "offered": 8, "gold_with_boxes_added": 2, "gold_with_nothing_new": 0, "new_taken": 2, "without_leak": 2,
        "without_repeated": 1, "without_unreadable": 1,
    }  # fmt: skip


def test_the_splits(made: SilverSummary, gold: Path) -> None:
    data, old = read_data_yaml(made.data), read_data_yaml(gold)
    names = {split: [path.name for path in data.images(split)] for split in ("train", "gold", "val", "full")}
    assert names["gold"] == [path.name for path in old.images("train")]
    assert names["val"] == [path.name for path in old.images("val")]
    assert set(names["train"]) == {*names["gold"], "silver_000.png", "new.jpg"}
    assert len(names["full"]) == len(set(names["full"])) == len(names["train"]) + len(names["val"])
    for image in data.images("gold"):
        assert image.samefile(made.data.parent / "images" / "train" / image.name)


def test_gold_labels_stay_byte_by_byte(made: SilverSummary, gold: Path) -> None:
    folder = made.data.parent / "labels"
    for number in range(8):
        before = gold.parent / "labels" / "train" / f"{number:03d}.txt"
        text = before.read_text() if before.is_file() else ""
        name = sorted(path.name for path in (folder / "gold").iterdir())[number]
        assert (folder / "gold" / name).read_text() == text
        assert (folder / "train" / name).read_text().startswith(text)
        offered = number in (0, 1)
        assert ((folder / "train" / name).read_text() != text) == offered
    for label in (gold.parent / "labels" / "val").iterdir():
        assert (folder / "valid" / label.name).read_bytes() == label.read_bytes()


def test_names_that_train_and_val_share_are_told_apart(weights: Path, tmp_path: Path) -> None:
    gold = draw_shapes(tmp_path / "gold", train=3, val=2, seed=11)
    noise(tmp_path / "source" / "images_val_001.png", 5)
    data = read_data_yaml(make_silver(weights, gold, tmp_path / "out", tmp_path / "source", OPTIONS).data)
    assert [path.name for path in data.images("train")] == [
        "002.png", "images_train_000.png", "images_train_001.png", "silver_images_val_001.png",
    ]  # fmt: skip
    assert len(data.images("full")) == 6


def test_check_accepts_it_and_finds_no_leak(made: SilverSummary) -> None:
    found = check(made.data.parent)
    assert found.sound
    assert not [each for each in found.findings if each.kind in ("near_duplicate", "changed_file", "box_outside")]


def test_the_same_inputs_give_the_same_bytes(
    made: SilverSummary, gold: Path, source: Path, weights: Path, tmp_path: Path
) -> None:
    copied(gold, tmp_path / "moved")
    again = make_silver(weights, tmp_path / "moved", tmp_path / "out", source, OPTIONS)
    for name in ("manifest.json", "files.sha256", "silver.csv", SILVER_PARQUET):
        assert again.data.with_name(name).read_bytes() == made.data.with_name(name).read_bytes()


def test_the_manifest_says_where_it_came_from(made: SilverSummary, gold: Path, source: Path, weights: Path) -> None:
    manifest = read_manifest(made.data.parent)
    assert manifest is not None
    said = manifest.config["silver"]
    assert said["rule"] == RULE.as_dict()
    assert (said["model"], said["image_size"], said["floor"]) == ("yolov5n", 64, 0.0005)
    assert said["gold_manifest_sha256"] is None
    assert said["weights_have_seen_val"] is None
    assert len(said["gold_sha256"]) == len(said["source_sha256"]) == len(said["weights_sha256"]) == 64
    assert str(gold.parent) not in manifest.to_bytes().decode()
    assert json.dumps(made.as_dict())


def test_labels_from_the_candidates_are_those_on_disk(made: SilverSummary) -> None:
    data = read_data_yaml(made.data)
    images = DataStore().images(data, "train", ImagePolicy(cache="none"))
    from_candidates = labels_by_name(data, RULE)
    assert set(from_candidates) == {"000.png", "001.png", "silver_000.png", "new.jpg"}
    for file, labels in zip(images.files, images.labels, strict=True):
        if Path(file).name in from_candidates:
            np.testing.assert_array_equal(from_candidates[Path(file).name], labels)
            assert len(labels) > 0


@pytest.mark.timeout(300)
def test_the_same_on_real_pictures(livestock: Path, yolov5n_weights: Path, tmp_path: Path) -> None:
    gold = herd(livestock, tmp_path / "gold")
    names = load_checkpoint(yolov5n_weights).names
    gold = write_data(gold.parent, {"train": "images/train", "val": "images/val"}, list(names or ()))
    rule = SilverRule(confidence=0.1, iou=0.7, min_boxes=4, merge_iou=0.6)
    options = SilverOptions(rule=rule, image_size=320, device="cpu")
    found = make_silver(yolov5n_weights, gold, tmp_path / "out", options=options)
    counts = found.counts()
    assert counts["offered"] == len(list((gold.parent / "images" / "train").iterdir()))
    assert counts["gold_with_boxes_added"] > 2
    assert counts["without_few"] > 0
    assert sum(found.added.values()) > 10
    assert sum(int(row["dropped_boxes"]) for row in rows(found).values()) > 5
    assert check(found.data.parent).sound
    data = read_data_yaml(found.data)
    images = DataStore().images(data, "train", ImagePolicy(cache="none"))
    from_candidates = labels_by_name(data, rule)
    for file, labels in zip(images.files, images.labels, strict=True):
        np.testing.assert_array_equal(from_candidates.get(Path(file).name, labels), labels)
    assert all(len(each.candidates.boxes) <= 1000 for each in read_pictures(found.data.with_name(SILVER_PARQUET)))


def test_weights_of_other_classes_are_refused(gold: Path, weights: Path, tmp_path: Path) -> None:
    shutil.copytree(gold.parent, tmp_path / "gold")
    data = write_data(tmp_path / "gold", {"train": "images/train", "val": "images/val"}, ["cow", "pig"])
    with pytest.raises(InputError, match=r"weights\.pt: the weights have the classes .*disc.* and .* has .*cow"):
        make_silver(weights, data, tmp_path / "out", options=OPTIONS)
    assert not (tmp_path / "out").exists()


def test_pictures_whose_label_is_broken_do_not_come_back_as_new_ones(gold: Path, weights: Path, tmp_path: Path) -> None:
    folder, more = tmp_path / "gold", tmp_path / "more"
    shutil.copytree(gold.parent, folder)
    data = write_data(folder, {"train": "images/train", "val": "images/val"}, ["disc", "square"])
    more.mkdir()
    for split, name in (("val", "v000"), ("train", "002")):
        (folder / "labels" / split / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1 0.9\n")
        shutil.copy(folder / "images" / split / f"{name}.png", more / f"frame_{name}.png")
    noise(more / "new.png", 5)
    found = rows(make_silver(weights, data, tmp_path / "out", more, OPTIONS))
    assert found["frame_v000.png"]["verdict"].startswith("looks like val or test: the same picture as val/")
    assert found["frame_002.png"]["verdict"].endswith("it is train/002.png, whose label cannot be used")
    assert found["images/train/new.png"]["verdict"] == "taken"


def test_gold_pictures_that_yolov5_cannot_use_are_left_out(gold: Path, weights: Path, tmp_path: Path) -> None:
    shutil.copytree(gold.parent, tmp_path / "gold")
    data = write_data(tmp_path / "gold", {"train": "images/train", "val": "images/val"}, ["disc", "square"])
    noise(tmp_path / "gold" / "images" / "train" / "tiny.png", 7, (8, 8))
    found = make_silver(weights, data, tmp_path / "out", options=OPTIONS)
    assert [each.file for each in found.left_out] == ["images/train/tiny.png"]
    assert not (tmp_path / "out" / "images" / "train" / "tiny.png").exists()


def test_weights_of_a_silver_set_have_seen_the_val_of_its_gold_set(gold: Path, weights: Path, tmp_path: Path) -> None:
    made = make_silver(weights, gold, tmp_path / "silver", options=OPTIONS).data
    for trained, other in ((made, gold), (gold, made)):
        for split, seen in (("full", True), ("train", False)):
            place = tmp_path / f"{trained.parent.name}-{split}"
            place.mkdir()
            shutil.copy(weights, place / "weights.pt")
            (place / "train.yaml").write_text(yaml.safe_dump({"data": str(trained), "train_split": split}))
            assert (has_seen(place / "weights.pt", read_data_yaml(other), "val") is not None) == seen


def test_without_a_source_gold_train_is_predicted(gold: Path, weights: Path, tmp_path: Path) -> None:
    found = make_silver(weights, gold, tmp_path / "out", options=OPTIONS)
    assert found.counts()["offered"] == 8
    assert set(rows(found)) == {f"images/train/{path.name}" for path in (tmp_path / "out/images/train").iterdir()}
    assert found.manifest.config["silver"]["source_sha256"] is None


def test_few_boxes_leave_new_pictures_out_and_gold_as_it_is(
    gold: Path, source: Path, weights: Path, tmp_path: Path
) -> None:
    options = SilverOptions(rule=SilverRule(confidence=0.999), floor=0.002, image_size=64, device="cpu")
    found = make_silver(weights, gold, tmp_path / "out", source, options)
    assert sum(found.added.values()) == 0
    assert found.counts()["without_few"] == 4
    assert rows(found)["new.jpg"]["verdict"].startswith("too few boxes: ")
    assert [p.name for p in read_data_yaml(found.data).images("train")] == [
        p.name for p in read_data_yaml(found.data).images("gold")
    ]


def test_an_archive_is_a_source_and_nothing_else_is_unpacked(
    gold: Path, source: Path, weights: Path, tmp_path: Path, made: SilverSummary
) -> None:
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        for path in sorted(source.iterdir()):
            archive.write(path, path.name)
    found = make_silver(weights, gold, tmp_path / "out", tmp_path / "source.zip", OPTIONS)
    assert found.manifest.to_bytes() == made.manifest.to_bytes()


def test_a_run_that_is_cut_off_leaves_nothing_and_the_next_one_needs_no_network(
    gold: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("write", 3):
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        make_silver(weights, gold, out, options=OPTIONS, progress=stop)
    assert not out.exists()

    stages: list[str] = []
    monkeypatch.setattr(predict, "candidates", lambda *_: pytest.fail("predicted again"))
    make_silver(weights, gold, out, options=OPTIONS, progress=lambda stage, done, total: stages.append(stage))
    assert set(stages) == {"look", "write"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_leaves_nothing_in_the_place(
    gold: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data_prep.silver.export.write_lists", full)
    with pytest.raises(WorkFailedError, match="No space left"):
        make_silver(weights, gold, tmp_path / "out", options=OPTIONS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["0 0.5 0.5 0.1 0.1\n1 0.1 0.1 0.2 0.1 0.2 0.2\n", "2 0.5 0.5 0.1 0.1\n"])
def test_polygons_and_unknown_classes_are_refused_before_anything_is_written(
    content: str, gold: Path, weights: Path, tmp_path: Path
) -> None:
    copied(gold, tmp_path / "gold")
    label = tmp_path / "gold" / "labels" / "train" / "002.txt"
    label.write_text(content)
    with pytest.raises(InputError, match=r"002\.txt: (holds polygons|class 2)"):
        make_silver(weights, tmp_path / "gold", tmp_path / "out", options=OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["gold"]


def test_gold_pictures_that_cannot_be_used_are_named_and_left_out(gold: Path, weights: Path, tmp_path: Path) -> None:
    copied(gold, tmp_path / "gold")
    (tmp_path / "gold/images/train/003.png").write_bytes(b"x")
    (tmp_path / "gold/labels/train/004.txt").write_text("0 7 7 7 7\n")
    found = make_silver(weights, tmp_path / "gold", tmp_path / "out", options=OPTIONS)
    assert [each.file for each in found.left_out] == ["images/train/003.png", "images/train/004.png"]
    assert found.counts()["offered"] == 6


def test_wrong_inputs_are_named(gold: Path, weights: Path, tmp_path: Path, made: SilverSummary) -> None:
    with pytest.raises(InputError, match="is there already"):
        make_silver(weights, gold, made.data.parent, options=OPTIONS)
    with pytest.raises(InputError, match=r"--confidence is 0\.01 and --floor 0\.05"):
        SilverOptions(rule=SilverRule(confidence=0.01))
    with pytest.raises(InputError, match="--floor is 0:"):
        SilverOptions(floor=0.0)
    with pytest.raises(InputError, match="where pictures are read"):
        make_silver(weights, gold, gold.parent / "images" / "train" / "out", options=OPTIONS)
    with pytest.raises(InputError, match="none of its 4 pictures can get silver labels"):
        make_silver(weights, gold, tmp_path / "out", gold.parent / "images" / "val", OPTIONS)
    (tmp_path / "film.mp4").write_bytes(b"x")
    with pytest.raises(InputError, match="is a video"):
        make_silver(weights, gold, tmp_path / "out", tmp_path / "film.mp4", OPTIONS)
    with pytest.raises(InputError, match="nowhere"):
        make_silver(weights, gold, tmp_path / "out", tmp_path / "nowhere", OPTIONS)
    draw = {"train": str(gold.parent / "images/train"), "val": str(gold.parent / "images/val")}
    with pytest.raises(InputError, match="2 classes"):
        make_silver(weights, write_data(tmp_path, draw, ["a", "b", "c"]), tmp_path / "out", options=OPTIONS)
    assert not (tmp_path / "out").exists()
