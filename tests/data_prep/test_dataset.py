from __future__ import annotations

import glob
import itertools
import random
import shutil
from pathlib import Path

import pytest

from data_prep.dataset import label_path, read_data_yaml
from data_prep.errors import InputError
from tests.data_prep.conftest import write_yolo
from tests.data_prep.readers.damage import damage


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


def test_folders_are_walked_as_by_yolov5(data: Path, tmp_path: Path) -> None:
    """``glob`` follows links to folders and passes over what is hidden (the checkpoints of a notebook)."""
    train = data.parent / "images" / "train"
    for name in (".ipynb_checkpoints", "more"):
        (train / name).mkdir()
        shutil.copy(train / "train_000.jpg", train / name / f"{name}.jpg")
    shutil.copy(train / "train_000.jpg", train / ".hidden.jpg")
    (train / "more").rename(tmp_path / "elsewhere")
    (train / "link").symlink_to(tmp_path / "elsewhere")
    (train / "circle").symlink_to(train)
    stock = [path for path in glob.glob(f"{train}/**/*.*", recursive=True) if "circle" not in path]  # noqa: PTH207 - as YOLOv5
    assert read_data_yaml(data).images("train") == sorted(map(Path, stock))
    assert len(stock) == 4


def test_list_of_pictures_and_list_of_folders(data: Path) -> None:
    root = data.parent
    (root / "few.txt").write_text("./images/train/train_001.jpg\nimages/val/val_000.jpg\n")
    data.write_text("train: [few.txt, images/val]\nval: images/val\nnames: [cow, pig]\n")
    names = [path.name for path in read_data_yaml(data).images("train")]
    assert names == ["train_001.jpg", "val_000.jpg", "val_001.jpg"]


def test_roboflow_paths_above_the_yaml_are_found(data: Path) -> None:
    data.write_text(data.read_text().replace("images/train", "../images/train"))
    assert len(read_data_yaml(data).images("train")) == 3


FOLD = "train: folds/train.txt\nval: folds/val.txt\nnames: [cow, pig]\n"


def write_fold(data: Path, line: str) -> Path:
    """Write a fold beside a data set, its lists one folder down; returns its yaml."""
    folds = data.parent / "folds"
    folds.mkdir()
    for split in ("train", "val"):
        names = sorted(path.name for path in (data.parent / "images" / split).iterdir())
        (folds / f"{split}.txt").write_text("".join(f"{line.format(split=split, name=name)}\n" for name in names))
    (data.parent / "fold_0.yaml").write_text(f"path: {data.parent}\n{FOLD}")
    return data.parent / "fold_0.yaml"


@pytest.mark.parametrize("line", ["./../images/{split}/{name}", "images/{split}/{name}", "../images/{split}/{name}"])
def test_lists_of_a_fold_name_pictures_against_the_list_or_the_root(data: Path, line: str) -> None:
    found = read_data_yaml(write_fold(data, line))
    for split in ("train", "val"):
        assert found.images(split) == read_data_yaml(data).images(split)


def test_a_line_that_starts_with_a_dot_never_means_the_root(data: Path) -> None:
    shutil.copytree(data.parent / "images" / "train", data.parent / "folds" / "images" / "train")
    (data.parent / "folds" / "train.txt").write_text("./images/train/train_000.jpg\n")
    data.write_text(FOLD.replace("folds/val.txt", "images/val"))
    assert read_data_yaml(data).images("train") == [data.parent / "folds" / "images" / "train" / "train_000.jpg"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_lists_that_start_with_a_dot_mean_the_same_to_stock_yolov5(
    data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from yolov5.utils.dataloaders import LoadImagesAndLabels

    monkeypatch.chdir(tmp_path)
    found = read_data_yaml(write_fold(data, "./../images/{split}/{name}"))
    [listing] = found.splits["train"]
    stock = LoadImagesAndLabels(str(listing), img_size=64, batch_size=1)
    assert [Path(name).resolve() for name in stock.im_files] == found.images("train")
    assert [len(labels) for labels in stock.labels] == [1, 1, 1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("val: images/val\nnames: [a]", "has no key `train`"),
        ("train: images/nope\nval: images/val\nnames: [a]", "`train` names .*nope, which does not exist"),
        ("train: images/train\nval: images/val", "has no class names"),
        ("train: images/train\nval: images/val\nnames: [a, b]\nnc: 3", "`nc` is 3 but `names` has 2"),
        ("train: images/train\nval: images/val\nnames: {1: a}", "number them 0..0"),
        ("train: 5\nval: images/val\nnames: [a]", r"`train` \(=5\) must be a folder"),
        ("train: images/train\nval: images/val\nnames: [a, a]", "in `names`, the class 'a' stands twice"),
        ("train: images/train\nval: images/val\nnames: [1, '1']", "in `names`, the class '1' stands twice"),
        ("train: images/train\nval: images/val\nnames: [a, null]", "in `names`, None is no class name"),
        ("train: images/train\nval: images/val\nnames: [a, no]", "in `names`, False is no class name"),
        ("train: images/train\nval: images/val\nnames: [a, [b]]", "in `names`, a list is no class name"),
        ("train: images/train\nval: images/val\nnames: [a, ' ']", "in `names`, ' ' is no class name"),
        ("train: images/train\nval: images/val\nnames: {no: a, yes: b}", "the ids in `names` are False, True"),
        ("train: images/train\nval: images/val\nnames: [a]\nnc: 0x%s" % ("F" * 200), "`nc` is "),
        ('train: "a\\0b"\nval: images/val\nnames: [a]', "`train` names 'a.x00b', which cannot be a path"),
        (f"train: {'a' * 5000}\nval: images/val\nnames: [a]", "`train` names .*, which does not exist"),
        (f"train: {'a/' * 5000}\nval: images/val\nnames: [a]", "`train` names .*, which does not exist"),
        ("train: ~nobody_here/x\nval: images/val\nnames: [a]", "`train` names '~nobody_here/x', which cannot be"),
        ("path: ~nobody_here\ntrain: images/train\nval: images/val\nnames: [a]", "`path` names '~nobody_here'"),
        ('path: "a\\0b"\ntrain: images/train\nval: images/val\nnames: [a]', "`path` names 'a.x00b'"),
        ("path: [a]\ntrain: images/train\nval: images/val\nnames: [a]", r"`path` \(=a list\) is no folder name"),
        ('train: "\\ud800"\nval: images/val\nnames: [a]', "`train` names '.ud800', which cannot be a path"),
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
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_numbers_may_be_class_names(data: Path) -> None:
    data.write_text(data.read_text().replace("[cow, pig]", "[0, 1.5]"))
    assert read_data_yaml(data).names == ("0", "1.5")


def test_a_path_beyond_all_bounds_falls_back_as_a_missing_one_does(data: Path) -> None:
    assert read_data_yaml(append(data, f"path: {'a' * 5000}")).path == data.parent


@pytest.mark.parametrize("line", ["a\0b.jpg", f"{'a' * 5000}.jpg", "gone.jpg", "~nobody_here/a.jpg", "images/train"])
def test_a_line_of_a_list_that_is_no_picture_is_named(data: Path, line: str) -> None:
    (data.parent / "few.txt").write_text(f"images/train/train_000.jpg\n{line}\n")
    data.write_text("train: few.txt\nval: images/val\nnames: [cow, pig]\n")
    with pytest.raises(InputError, match=r"few.txt names .*, which does not exist") as caught:
        read_data_yaml(data).images("train")
    assert str(caught.value).isprintable()


def test_links_in_a_circle_are_named(data: Path) -> None:
    (data.parent / "loop").symlink_to("loop")
    data.write_text(data.read_text().replace("images/train", "loop"))
    with pytest.raises(InputError, match="`train` names"):
        read_data_yaml(data)


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


def test_damaged_yamls_and_lists_end_in_one_sentence(data: Path) -> None:
    """300 yamls and 200 lists with flipped, lost, repeated and foreign bytes."""
    rng = random.Random(4)
    (data.parent / "few.txt").write_text("images/train/train_000.jpg\n./images/train/train_001.jpg\n")
    original = f"path: {data.parent}\ntrain: [few.txt, images/train]\nval: images/val\nnc: 2\nnames: [cow, pig]\n"
    data.write_text(original)
    for path, rounds in ((data, 300), (data.parent / "few.txt", 200)):
        content, read = path.read_bytes(), 0
        for _ in range(rounds):
            path.write_bytes(damage(content, rng))
            read += reads_or_says_why(data)
        path.write_bytes(content)
        assert 0 < read < rounds / 2  # some damage is harmless


HOSTILE = (
    "null", "true", "[]", "{}", "[[]]", "{0: a}", "-1", "1e999", "0x10", "'\\0'", '"\\0"', '"\\ud800"', "~", "~nobody",
    "..", "/dev/null", "/dev", "a" * 5000, "'*'", "2020-01-01", "!!binary YQ==", "!!set {a, b}", "!!timestamp x",
    "!!int ''", "&a [*a]", "[a, a]", "[null]", "[1, 2]", "{1: a, 0: b}", "[cow, pig]",
)  # fmt: skip


def test_hostile_values_of_every_key_end_in_one_sentence(data: Path) -> None:
    values = {"path": str(data.parent), "train": "images/train", "val": "images/val", "nc": "2", "names": "[cow, pig]"}
    for key, value in itertools.product([*values, "test", "download"], HOSTILE):
        data.write_text("".join(f"{name}: {text}\n" for name, text in (values | {key: value}).items()))
        reads_or_says_why(data)


def reads_or_says_why(data: Path) -> bool:
    images, message = [], ""
    try:
        found = read_data_yaml(data)
        images = [*found.images("train"), *found.images("val")]
    except InputError as error:
        message = str(error)
    assert message.isprintable()
    assert bool(images) != bool(message)
    assert all(image.is_file() for image in images)
    return bool(images)
