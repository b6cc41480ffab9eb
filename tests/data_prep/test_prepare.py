from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import data_prep.examine
from data_prep.config import Background, PrepareConfig, load_prepare_config
from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError, WorkFailedError
from data_prep.findings import Policy
from data_prep.groups import NearDuplicates
from data_prep.manifest import MANIFEST_NAME, read_manifest
from data_prep.policies import Policies
from data_prep.prepare import prepare
from data_prep.readers import AihubReader, YoloReader
from data_prep.synthetic import draw_herd
from tests.data_prep.conftest import (
    COW_IMAGES,
    PIG_LABELS,
    contents,
    jpeg,
    label,
    write_archives,
    write_yolo,
    write_zip,
)

pytestmark = pytest.mark.timeout(60)  # real pictures are decoded and written
SPLITS = ("train", "valid", "mini_train", "full")
CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "data"


def test_herd_becomes_a_stock_yolo_data_set(herd_config: PrepareConfig, tmp_path: Path) -> None:
    data = read_data_yaml(prepare(herd_config, tmp_path / "set"))
    sizes = {key: len(data.images(key)) for key in ("train", "val", "mini_train", "full")}
    assert data.names == ("pig", "cow")
    assert sizes == {"train": 48, "val": 12, "mini_train": 24, "full": 60}
    for name in SPLITS:
        images = {path.stem for path in (tmp_path / "set" / "images" / name).iterdir()}
        assert images == {path.stem for path in (tmp_path / "set" / "labels" / name).iterdir()}


def test_nothing_is_stored_twice(herd_config: PrepareConfig, tmp_path: Path) -> None:
    prepare(herd_config, tmp_path / "set")
    files = (tmp_path / "set" / "images").rglob("*.jpg")
    assert len({path.stat().st_ino for path in files}) == 60


def test_labels_and_manifest_are_the_same_bytes_wherever_they_are_made(tmp_path: Path) -> None:
    made = []
    for place in ("one", "elsewhere/two"):
        draw_herd(tmp_path / place / "raw", images=40, seed=1)
        config = PrepareConfig(source=AihubReader(folder=tmp_path / place / "raw"))
        made.append(contents(prepare(config, tmp_path / place / "set").parent))
        made[-1].pop("data.yaml")  # holds the absolute path that stock YOLOv5 needs
    assert made[0] == made[1]
    assert not any(str(tmp_path).encode() in content for content in made[0].values())


def test_manifest_counts_and_hashes_what_lies_there(herd_config: PrepareConfig, tmp_path: Path) -> None:
    prepare(herd_config, tmp_path / "set")
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    assert set(manifest.splits) == set(SPLITS)
    for name, summary in manifest.splits.items():
        labels = sorted((tmp_path / "set" / "labels" / name).iterdir())
        rows = [line.split()[0] for path in labels for line in path.read_text().splitlines()]
        assert summary.images == len(labels)
        assert summary.boxes == {"pig": rows.count("0"), "cow": rows.count("1")}
        assert summary.background == sum(not path.read_text() for path in labels)
    listed = (tmp_path / "set" / "files.sha256").read_bytes()
    assert manifest.files_sha256 == hashlib.sha256(listed).hexdigest()
    for line in listed.decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "set" / name).read_bytes()).hexdigest() == digest
    kinds = ("images", "labels", "lists")
    assert len(listed.splitlines()) == sum(1 for kind in kinds for _ in (tmp_path / "set" / kind).rglob("*.*")) + 2
    assert len(manifest.digest) == 64


def test_second_run_returns_the_same_set_untouched(herd_config: PrepareConfig, tmp_path: Path) -> None:
    first = prepare(herd_config, tmp_path / "set")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    assert prepare(herd_config, tmp_path / "set") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")} == before


def test_second_run_needs_no_place_to_write(
    herd_config: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(herd_config, tmp_path / "set")

    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert prepare(herd_config, tmp_path / "set") == first


def test_another_set_in_the_output_folder_is_an_error(herd_config: PrepareConfig, tmp_path: Path) -> None:
    prepare(herd_config, tmp_path / "set")
    before = contents(tmp_path / "set")
    with pytest.raises(InputError, match="set holds another data set"):
        prepare(herd_config.model_copy(update={"seed": 7}), tmp_path / "set")
    assert contents(tmp_path / "set") == before


def test_other_raw_data_under_the_same_config_is_another_set(tmp_path: Path) -> None:
    config = PrepareConfig(source=AihubReader(folder=write_archives(tmp_path / "raw")))
    prepare(config, tmp_path / "set")
    stems = [f"livestock_pig_bbox_{number:06d}" for number in range(6)]
    write_zip(tmp_path / "raw" / PIG_LABELS, {f"{stem}.json": label((1, 1, 9, 9)) for stem in stems})
    with pytest.raises(InputError, match="holds another data set"):
        prepare(config, tmp_path / "set")


def test_damaged_set_is_noticed(herd_config: PrepareConfig, tmp_path: Path) -> None:
    prepare(herd_config, tmp_path / "set")
    next((tmp_path / "set" / "labels" / "full").iterdir()).unlink()
    with pytest.raises(InputError, match=r"labels/full is not as its manifest says; delete"):
        prepare(herd_config, tmp_path / "set")


def test_foreign_folder_is_left_alone(herd_config: PrepareConfig, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty and holds no prepared data set"):
        prepare(herd_config, tmp_path)
    (tmp_path / MANIFEST_NAME).write_text("{}")
    with pytest.raises(InputError, match=r"manifest.json is no manifest of this version"):
        prepare(herd_config, tmp_path)


def test_target_among_the_raw_pictures_is_refused(herd_config: PrepareConfig, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    config = herd_config.model_copy(update={"background": Background(images=tmp_path / "empty", share=0.1)})
    with pytest.raises(InputError, match="where the raw pictures are; choose another"):
        prepare(config, tmp_path / "empty" / "set")
    assert not any((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("stage", ["look", "write"])
def test_interrupted_run_leaves_no_half_set_and_goes_on(
    herd_config: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, stage: str
) -> None:
    def interrupt(now: str, done: int, total: int) -> None:
        if now == stage and done == 30:
            raise failure

    expected = WorkFailedError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        prepare(herd_config, tmp_path / "new" / "set", interrupt)
    assert not (tmp_path / "new" / "set").exists()
    looked = []
    original = data_prep.examine.examine_image
    monkeypatch.setattr(data_prep.examine, "examine_image", lambda *args: looked.append(args) or original(*args))
    prepare(herd_config, tmp_path / "new" / "set")
    assert len(looked) == (30 if stage == "look" else 0)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["set"]
    prepare(herd_config, tmp_path / "whole")
    whole, resumed = contents(tmp_path / "whole"), contents(tmp_path / "new" / "set")
    assert {**whole, "data.yaml": b""} == {**resumed, "data.yaml": b""}


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_run_that_is_killed_again_and_again_ends_with_the_same_set(herd: Path, tmp_path: Path) -> None:
    (tmp_path / "set.yaml").write_text(f"source: {{reader: aihub, folder: {herd}}}\narchives: true\n")
    code = (
        "import os, sys; from pathlib import Path\n"
        "from data_prep.config import load_prepare_config; from data_prep.prepare import prepare\n"
        "stage, count = sys.argv[2], int(sys.argv[3])\n"
        "def kill(now, done, total):\n"
        "    if now == stage and done >= count: os.kill(os.getpid(), 9)\n"
        "prepare(load_prepare_config(Path(sys.argv[1])), Path(sys.argv[1]).with_name('killed'), kill)\n"
    )
    for stage, count in (("read", 5), ("look", 20), ("write", 10), ("write", 100), ("pack", 2)):
        command = [sys.executable, "-c", code, str(tmp_path / "set.yaml"), stage, str(count)]
        assert subprocess.run(command, check=False).returncode == -9
        assert not (tmp_path / "killed").exists()
    config = load_prepare_config(tmp_path / "set.yaml")
    killed, whole = (contents(prepare(config, tmp_path / name).parent) for name in ("killed", "whole"))
    assert {**killed, "data.yaml": b""} == {**whole, "data.yaml": b""}
    assert {path.name for path in tmp_path.iterdir()} == {"set.yaml", "killed", "whole"}


def test_damage_in_an_archive_is_found_before_anything_is_written(tmp_path: Path) -> None:
    raw = write_archives(tmp_path / "raw")
    archive = next(path for path in raw.iterdir() if "원천" in path.name and "소" in path.name)
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"\xff\xd9")] ^= 0x01  # the last byte of a picture: its header still reads well
    archive.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"livestock_cow_bbox_000005.jpg.*`policies.unreadable_image: drop`"):
        prepare(PrepareConfig(source=AihubReader(folder=raw)), tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_moved_set_is_still_read(herd_config: PrepareConfig, tmp_path: Path) -> None:
    prepare(herd_config, tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / "moved")
    assert len(read_data_yaml(tmp_path / "moved" / "data.yaml").images("full")) == 60


def test_own_splits_are_kept_on_request_and_test_always(tmp_path: Path) -> None:
    source = YoloReader(data=write_yolo(tmp_path / "raw", {"train": 12, "val": 3, "test": 2}))
    kept = read_data_yaml(prepare(PrepareConfig(source=source, keep_splits=True), tmp_path / "kept"))
    anew = read_data_yaml(prepare(PrepareConfig(source=source), tmp_path / "anew"))
    assert {path.stem.split("_")[0] for path in kept.images("val")} == {"val"}
    assert len(anew.images("val")) == 3
    for data in (kept, anew):
        assert [path.name for path in data.images("test")] == ["test_000.jpg", "test_001.jpg"]
        assert not {path.name for path in data.images("full")} & {path.name for path in data.images("test")}


def test_second_source_becomes_test_even_under_the_same_names(herd: Path, tmp_path: Path) -> None:
    draw_herd(tmp_path / "other", images=10, seed=99)
    config = PrepareConfig(source=AihubReader(folder=herd), test_source=AihubReader(folder=tmp_path / "other"))
    data = read_data_yaml(prepare(config, tmp_path / "set"))
    names = {path.name for path in data.images("full")}
    assert len(data.images("test")) == 10
    for image in data.images("test"):
        assert image.name in names  # same number, another picture
        assert image.read_bytes() != (tmp_path / "set" / "images" / "full" / image.name).read_bytes()


def test_test_source_with_other_classes_is_an_error(herd: Path, tmp_path: Path) -> None:
    other = YoloReader(data=write_yolo(tmp_path / "raw", {"train": 2, "val": 2}))
    with pytest.raises(InputError, match="`test_source` has the classes"):
        prepare(PrepareConfig(source=AihubReader(folder=herd), test_source=other), tmp_path / "set")


def test_bins_of_an_unknown_class_are_an_error(herd: Path, tmp_path: Path) -> None:
    config = PrepareConfig(source=AihubReader(folder=herd), count_bins={"sheep": (1, 2)})
    with pytest.raises(InputError, match=r"`count_bins` names the class `sheep`"):
        prepare(config, tmp_path / "set")


def test_names_that_leave_their_folder_are_refused(tmp_path: Path) -> None:
    raw = write_archives(tmp_path / "raw")
    write_zip(raw / "[원천]돼지_bbox.zip", {"../../..\\evil a.jpg": jpeg()})
    with pytest.raises(InputError, match=r"evil a\.jpg"):
        prepare(PrepareConfig(source=AihubReader(folder=raw)), tmp_path / "set")
    assert {path.name for path in tmp_path.iterdir()} == {"raw"}


def test_progress_reaches_its_total_in_every_stage(herd_config: PrepareConfig, tmp_path: Path) -> None:
    last: dict[str, tuple[int, int]] = {}
    prepare(herd_config, tmp_path / "set", lambda stage, done, total: last.update({stage: (done, total)}))
    assert last == {"read": (60, 60), "look": (60, 60), "write": (144, 144)}


def test_shipped_configs_are_valid() -> None:
    for path in sorted(CONFIGS.glob("*.yaml")):
        assert load_prepare_config(path).seed == 42


def test_livestock_a_is_prepared_with_its_own_splits(livestock: Path, tmp_path: Path) -> None:
    config = load_prepare_config(CONFIGS / "livestock_a.yaml")
    prepare(config, tmp_path / "set")
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    assert {name: summary.images for name, summary in manifest.splits.items()} == {
        "train": 1311, "valid": 206, "mini_train": 656, "full": 1517, "test": 37,
    }  # fmt: skip
    assert manifest.splits["train"].boxes == {"cow": 3025, "pig": 6032}


def policies(**chosen: str) -> dict[str, object]:
    return {"policies": Policies.model_validate(chosen)}


@pytest.fixture
def flawed(tmp_path: Path) -> PrepareConfig:
    """YOLO folders with one broken picture, one box outside and one bad row."""
    data = write_yolo(tmp_path / "raw", {"train": 20, "val": 5})
    folder = data.parent
    (folder / "images" / "train" / "train_003.jpg").write_bytes(jpeg()[:300])
    (folder / "labels" / "train" / "train_004.txt").write_text("0 0.5 0.5 1.004 0.5\n")
    (folder / "labels" / "train" / "train_005.txt").write_text("0 0.5 0.5 nan 0.5\n")
    return PrepareConfig(source=YoloReader(data=data))


def test_findings_that_fail_are_counted_in_one_sentence_and_nothing_is_written(
    flawed: PrepareConfig, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        prepare(flawed, tmp_path / "set")
    message = str(caught.value)
    assert "(1 unreadable_image, 1 unreadable_label)" in message
    assert "policies.unreadable_" in message
    assert "\n" not in message
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_policies_are_applied_and_every_change_is_listed(flawed: PrepareConfig, tmp_path: Path) -> None:
    chosen = flawed.model_copy(update=policies(unreadable_image="drop", unreadable_label="drop"))
    prepare(chosen, tmp_path / "set")
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    assert manifest.splits["full"].images == 23
    assert {kind: manifest.findings[kind] for kind in manifest.findings if kind != "exact_duplicate"} == {
        "box_outside": {"clip": 1}, "unreadable_image": {"drop": 1}, "unreadable_label": {"drop": 1},
    }  # fmt: skip
    with (tmp_path / "set" / "findings.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["image"]) for row in rows if row["kind"] != "exact_duplicate"] == [
        ("box_outside", "train_004"), ("unreadable_image", "train_003"), ("unreadable_label", "train_005"),
    ]  # fmt: skip
    assert not any(str(tmp_path) in value for row in rows for value in row.values())


def test_test_fraction_holds_out_pictures_before_all_else(herd_config: PrepareConfig, tmp_path: Path) -> None:
    data = read_data_yaml(prepare(herd_config.model_copy(update={"test_fraction": 0.25}), tmp_path / "set"))
    sizes = {key: len(data.images(key)) for key in ("train", "val", "test", "full")}
    assert sizes == {"train": 36, "val": 9, "test": 15, "full": 45}
    assert not {path.name for path in data.images("test")} & {path.name for path in data.images("full")}


def test_test_fraction_beside_own_test_pictures_is_an_error(tmp_path: Path) -> None:
    source = YoloReader(data=write_yolo(tmp_path / "raw", {"train": 12, "val": 3, "test": 2}))
    with pytest.raises(InputError, match="there are test pictures already"):
        prepare(PrepareConfig(source=source, test_fraction=0.2), tmp_path / "set")


def test_groups_stay_on_one_side_and_are_written_down(herd_config: PrepareConfig, tmp_path: Path) -> None:
    settings = herd_config.model_dump() | {"groups": [{"by": "name", "pattern": r"(.*_\d{5})\d$"}]}
    data = read_data_yaml(prepare(PrepareConfig.model_validate(settings), tmp_path / "set"))
    sides = [{path.stem[:-1] for path in data.images(key)} for key in ("train", "val")]
    assert not sides[0] & sides[1]
    with (tmp_path / "set" / "groups.csv").open() as stream:
        groups = {row["image"]: row["group"] for row in csv.DictReader(stream)}
    assert len(groups) == 60
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    assert manifest.groups == len(set(groups.values())) == len({key[:-1] for key in groups})


def test_exact_duplicates_stay_on_one_side(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "raw", {"train": 40, "val": 10})
    for number in range(20):
        images = data.parent / "images" / "train"
        (images / f"train_{number + 20:03d}.jpg").write_bytes((images / f"train_{number:03d}.jpg").read_bytes())
    found = read_data_yaml(prepare(PrepareConfig(source=YoloReader(data=data)), tmp_path / "set"))
    sides = [{path.read_bytes() for path in found.images(key)} for key in ("train", "val")]
    assert not sides[0] & sides[1]


@pytest.fixture
def empty_places(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    for number in range(30):
        name = f"livestock_pig_bbox_{number:06d}.jpg"  # names that the herd has, too
        (tmp_path / "empty" / name).write_bytes(jpeg(shade=100 + number))
    return tmp_path / "empty"


def test_background_pictures_are_added_up_to_their_share(
    herd_config: PrepareConfig, empty_places: Path, tmp_path: Path
) -> None:
    chosen = herd_config.model_copy(update={"background": Background(images=empty_places, share=0.25)})
    prepare(chosen, tmp_path / "set")
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    full, valid = manifest.splits["full"], manifest.splits["valid"]
    assert full.background / full.images == pytest.approx(0.25, abs=0.01)
    assert valid.background / valid.images == pytest.approx(0.25, abs=0.07)


def test_share_of_background_that_cannot_be_reached_is_an_error(
    herd_config: PrepareConfig, empty_places: Path, tmp_path: Path
) -> None:
    chosen = herd_config.model_copy(update={"background": Background(images=empty_places, share=0.5)})
    with pytest.raises(InputError, match=r"has 30 pictures but .* set `background.share` to at most 0\.3"):
        prepare(chosen, tmp_path / "set")


@pytest.fixture
def copies(herd: Path, tmp_path: Path) -> YoloReader:
    """Twenty drawn pictures, each a second time, compressed harder."""
    data = write_yolo(tmp_path / "raw", {"train": 40, "val": 1})
    with zipfile.ZipFile(herd / COW_IMAGES) as archive:
        pictures = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()[:20]]
    for number, picture in enumerate(pictures):
        for quality, copy in ((95, number), (60, number + 20)):
            picture.save(data.parent / "images" / "train" / f"train_{copy:03d}.jpg", quality=quality)
    return YoloReader(data=data)


def test_near_duplicates_are_dropped_from_training_alone(copies: YoloReader, tmp_path: Path) -> None:
    drop = Policies(near_duplicate=Policy.DROP)
    kept = prepare(PrepareConfig(source=copies), tmp_path / "kept").parent
    dropped = prepare(PrepareConfig(source=copies, policies=drop), tmp_path / "dropped").parent
    with (kept / "findings.csv").open() as stream:
        leaking = {row["image"] for row in csv.DictReader(stream) if row["kind"] == "near_duplicate"}
    names = {split: {path.stem for path in (dropped / "images" / split).iterdir()} for split in SPLITS}
    before = {split: {path.stem for path in (kept / "images" / split).iterdir()} for split in SPLITS}
    assert leaking
    assert names["valid"] == before["valid"]
    assert names["train"] == before["train"] - leaking
    assert names["mini_train"] <= names["train"]
    assert names["full"] == names["train"] | names["valid"]


def test_near_duplicates_can_be_refused(copies: YoloReader, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(\d+ near_duplicate\), such as .*`hypsweep compare-splits` lists all"):
        prepare(PrepareConfig(source=copies, policies=Policies(near_duplicate=Policy.FAIL)), tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_near_duplicates_can_be_kept_on_one_side(copies: YoloReader, tmp_path: Path) -> None:
    groups = (NearDuplicates(by="near_duplicates"),)
    prepare(PrepareConfig(source=copies, groups=groups), tmp_path / "set")
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    assert "near_duplicate" not in manifest.findings
    assert manifest.groups == 21


def test_a_link_to_an_empty_folder_is_filled_where_it_leads(herd_config: PrepareConfig, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "set").symlink_to("disk")
    assert prepare(herd_config, tmp_path / "set") == tmp_path / "disk" / "data.yaml"
    assert {path.name for path in tmp_path.iterdir()} == {"disk", "set"}
    assert prepare(herd_config, tmp_path / "set") == tmp_path / "disk" / "data.yaml"


def test_odd_class_names_come_through_whole(tmp_path: Path) -> None:
    data = write_yolo(tmp_path / "raw", {"train": 12, "val": 4}, names='["a: b, [c]", "=1+1"]')
    config = PrepareConfig(source=YoloReader(data=data), count_bins={"=1+1": (1, 2)}, folds=2)
    assert read_data_yaml(prepare(config, tmp_path / "set")).names == ("a: b, [c]", "=1+1")
    assert read_data_yaml(tmp_path / "set" / "fold_1.yaml").names == ("a: b, [c]", "=1+1")
    with (tmp_path / "set" / "balance.csv").open() as stream:
        labels = {row["label"] for row in csv.DictReader(stream)}
    assert {"class =1+1", "class a: b, [c]"} <= labels
