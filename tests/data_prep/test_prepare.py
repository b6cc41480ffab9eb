from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import data_prep.export
from data_prep.config import PrepareConfig, load_prepare_config
from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError, WorkFailedError
from data_prep.manifest import MANIFEST_NAME, read_manifest
from data_prep.prepare import prepare
from data_prep.readers import AihubReader, YoloReader
from data_prep.synthetic import draw_herd
from tests.data_prep.conftest import PIG_LABELS, contents, jpeg, label, write_archives, write_yolo, write_zip

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
        hashes = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in labels)
        assert summary.labels_sha256 == hashlib.sha256(hashes.encode()).hexdigest()
    assert len(manifest.digest) == 64


def test_second_run_returns_the_same_set_untouched(herd_config: PrepareConfig, tmp_path: Path) -> None:
    first = prepare(herd_config, tmp_path / "set")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")}
    assert prepare(herd_config, tmp_path / "set") == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*")} == before


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
    with pytest.raises(InputError, match=r"manifest.json is no manifest of hypsweep"):
        prepare(herd_config, tmp_path)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_interruption_leaves_nothing_behind(
    herd_config: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if stage == "write" and done == 30:
            raise failure

    expected = WorkFailedError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        prepare(herd_config, tmp_path / "new" / "set", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_damage_found_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    raw = write_archives(tmp_path / "raw")
    archive = next(path for path in raw.iterdir() if "원천" in path.name and "소" in path.name)
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"\xff\xd9")] ^= 0x01  # the last byte of a picture: its header still reads well
    archive.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"livestock_cow_bbox_000005.jpg cannot be read"):
        prepare(PrepareConfig(source=AihubReader(folder=raw)), tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_what_a_killed_run_left_is_removed_by_the_next(herd_config: PrepareConfig, tmp_path: Path) -> None:
    prefix = f".set.partial-{data_prep.export.platform.node()}-"
    (tmp_path / f"{prefix}4194305").mkdir()  # above the largest process id that Linux gives
    prepare(herd_config, tmp_path / "set")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_file_system_without_links_gets_copies(
    herd_config: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    linked = contents(prepare(herd_config, tmp_path / "linked").parent)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    copied = contents(prepare(herd_config, tmp_path / "copied").parent)
    assert {**linked, "data.yaml": b""} == {**copied, "data.yaml": b""}


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


def test_stems_cannot_leave_their_folder(tmp_path: Path) -> None:
    raw = write_archives(tmp_path / "raw")
    write_zip(raw / "[원천]돼지_bbox.zip", {"../../..\\evil a.jpg": jpeg()})
    write_zip(raw / PIG_LABELS, {"../../..\\evil a.json": label()})
    prepare(PrepareConfig(source=AihubReader(folder=raw)), tmp_path / "set")
    assert (tmp_path / "set" / "images" / "full" / "evil_a.jpg").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "set"}


def test_progress_reaches_its_total_in_every_stage(herd_config: PrepareConfig, tmp_path: Path) -> None:
    last: dict[str, tuple[int, int]] = {}
    prepare(herd_config, tmp_path / "set", lambda stage, done, total: last.update({stage: (done, total)}))
    assert last == {"read": (60, 60), "hash": (60, 60), "write": (144, 144)}


def test_shipped_configs_are_valid() -> None:
    for path in sorted(CONFIGS.glob("*.yaml")):
        assert load_prepare_config(path).seed == 42


def test_livestock_a_is_prepared_with_its_own_splits(livestock: Path, tmp_path: Path) -> None:
    config = load_prepare_config(CONFIGS / "livestock_a.yaml")
    prepare(config, tmp_path / "set")
    manifest = read_manifest(tmp_path / "set")
    assert manifest is not None
    assert {name: summary.images for name, summary in manifest.splits.items()} == {
        "train": 1311, "valid": 206, "mini_train": 655, "full": 1517, "test": 37,
    }  # fmt: skip
    assert manifest.splits["train"].boxes == {"cow": 3025, "pig": 6032}
