from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data_prep.dataset import label_path, read_data_yaml
from data_prep.errors import InputError
from tests.data_prep.conftest import write_yolo


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_yolo(tmp_path / "set", {"train": 3, "val": 2})


def append(data: Path, text: str) -> Path:
    data.write_text(data.read_text() + text + "\n")
    return data


def test_stock_yaml_is_read(data: Path) -> None:
    found = read_data_yaml(data)
    assert found.names == ("cow", "pig")
    assert found.splits["train"] == ((data.parent / "images" / "train").resolve(),)
    assert [path.name for path in found.images("val")] == ["val_000.jpg", "val_001.jpg"]


def test_full_is_train_and_val_and_mini_is_train_where_the_yaml_has_neither(data: Path) -> None:
    found = read_data_yaml(data)
    assert found.images("full") == [*found.images("train"), *found.images("val")]
    assert found.images("mini_train") == found.images("train")


def test_names_may_be_a_dict(data: Path) -> None:
    data.write_text(data.read_text().replace("[cow, pig]", "{1: pig, 0: cow}"))
    assert read_data_yaml(data).names == ("cow", "pig")


def test_download_is_never_executed(data: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    read_data_yaml(append(data, f"download: touch {trace}")).images("train")
    assert not trace.exists()


def test_path_that_moved_falls_back_to_the_yamls_folder(data: Path, tmp_path: Path) -> None:
    append(data, f"path: {data.parent}")
    shutil.move(data.parent, tmp_path / "moved")
    found = read_data_yaml(tmp_path / "moved" / "data.yaml")
    assert found.path == tmp_path / "moved"
    assert len(found.images("train")) == 3


def test_list_of_pictures_and_list_of_folders(data: Path) -> None:
    root = data.parent
    (root / "few.txt").write_text("./images/train/train_001.jpg\nimages/val/val_000.jpg\n")
    data.write_text("train: [few.txt, images/val]\nval: images/val\nnames: [cow, pig]\n")
    names = [path.name for path in read_data_yaml(data).images("train")]
    assert names == ["train_001.jpg", "val_000.jpg", "val_001.jpg"]


def test_roboflow_paths_above_the_yaml_are_found(data: Path) -> None:
    data.write_text(data.read_text().replace("images/train", "../images/train"))
    assert len(read_data_yaml(data).images("train")) == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("val: images/val\nnames: [a]", "has no key `train`"),
        ("train: images/nope\nval: images/val\nnames: [a]", "`train` names .*nope, which does not exist"),
        ("train: images/train\nval: images/val", "has no class names"),
        ("train: images/train\nval: images/val\nnames: [a, b]\nnc: 3", "`nc` is 3 but `names` has 2"),
        ("train: images/train\nval: images/val\nnames: {1: a}", "number them 0..0"),
        ("train: 5\nval: images/val\nnames: [a]", r"`train` \(=5\) must be a folder"),
        ("train: [unclosed", "is no valid YAML at line"),
        ("- a", "holds no `key: value` pairs"),
        ("train: !!python/object/apply:os.system [ls]", "is no valid YAML"),
    ],
)
def test_wrong_yaml_is_named_with_file_and_key(data: Path, text: str, complaint: str) -> None:
    data.write_text(text)
    with pytest.raises(InputError, match=complaint) as caught:
        read_data_yaml(data)
    assert str(data) in str(caught.value)


def test_absent_split_and_empty_folder_are_named(data: Path) -> None:
    with pytest.raises(InputError, match="has no key `test`"):
        read_data_yaml(data).images("test")
    (data.parent / "empty").mkdir()
    with pytest.raises(InputError, match="`test` holds no picture"):
        read_data_yaml(append(data, "test: empty")).images("test")


def test_missing_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data.yaml cannot be read"):
        read_data_yaml(tmp_path / "data.yaml")


def test_only_the_last_folder_named_images_becomes_labels() -> None:
    assert label_path(Path("/images/set/images/train/a.jpg")) == Path("/images/set/labels/train/a.txt")


def test_a_copied_prepared_set_reads_its_own_pictures(tmp_path: Path) -> None:
    for name in ("original", "copy"):
        for split in ("train", "valid"):
            (tmp_path / name / "images" / split).mkdir(parents=True)
    text = f"path: {tmp_path / 'original'}\ntrain: images/train\nval: images/valid\nnames: [pig]\n"
    (tmp_path / "copy" / "data.yaml").write_text(text)

    assert read_data_yaml(tmp_path / "copy" / "data.yaml").path == tmp_path / "original"
    (tmp_path / "copy" / "manifest.json").write_text("{}")  # prepared by hypsweep
    assert read_data_yaml(tmp_path / "copy" / "data.yaml").path == tmp_path / "copy"
