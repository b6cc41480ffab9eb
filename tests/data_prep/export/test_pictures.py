from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.export import LinkMode, write_pictures
from data_prep.limits import Limits
from data_prep.progress import silent
from data_prep.records import Box, ImageRecord, Source
from data_prep.split import Records, Split
from data_prep.store import RawStore
from tests.data_prep.conftest import jpeg, write_zip


def record(key: str, source: Source, content: bytes) -> ImageRecord:
    digest = hashlib.sha256(content).hexdigest()
    return ImageRecord(key, source, 64, 36, (Box(0, 0, 0, 32, 18),), sha256=digest)


@pytest.fixture
def splits(tmp_path: Path) -> dict[Split, Records]:
    """One picture in a folder, one in a zip, one of test that bears the name of the first."""
    contents = {name: jpeg(shade=shade) for shade, name in enumerate("abt")}
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.jpg").write_bytes(contents["a"])
    (tmp_path / "raw" / "t.jpg").write_bytes(contents["t"])
    write_zip(tmp_path / "raw" / "b.zip", {"b.jpg": contents["b"]})
    a = record("a", Source(tmp_path / "raw" / "a.jpg"), contents["a"])
    b = record("b", Source(tmp_path / "raw" / "b.zip", "b.jpg"), contents["b"])
    t = record("a", Source(tmp_path / "raw" / "t.jpg"), contents["t"])
    return {Split.TRAIN: (a,), Split.VALID: (b,), Split.MINI_TRAIN: (a,), Split.FULL: (a, b), Split.TEST: (t,)}


def write(splits: dict[Split, Records], folder: Path, mode: LinkMode) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    with RawStore(Limits()) as store:
        return write_pictures(splits, folder, store, mode, silent)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.mark.parametrize("mode", list(LinkMode))
def test_every_mode_gives_the_same_contents(splits: dict[Split, Records], tmp_path: Path, mode: LinkMode) -> None:
    hashes = write(splits, tmp_path / "set", mode)
    found = files(tmp_path / "set")
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == hashes
    assert found["images/test/a.jpg"] != found["images/train/a.jpg"] == found["images/full/a.jpg"]
    assert found["labels/full/b.txt"] == b"0 0.250000 0.250000 0.500000 0.500000\n"
    assert len(found) == 12


def test_hardlink_stores_a_picture_once_and_never_shares_the_raw_file(
    splits: dict[Split, Records], tmp_path: Path
) -> None:
    write(splits, tmp_path / "set", LinkMode.HARDLINK)
    images = tmp_path / "set" / "images"
    assert (images / "train" / "a.jpg").samefile(images / "mini_train" / "a.jpg")
    assert not (images / "train" / "a.jpg").samefile(tmp_path / "raw" / "a.jpg")


def test_symlink_copies_nothing_but_what_lies_in_archives(splits: dict[Split, Records], tmp_path: Path) -> None:
    write(splits, tmp_path / "set", LinkMode.SYMLINK)
    images = tmp_path / "set" / "images"
    assert (images / "full" / "a.jpg").samefile(tmp_path / "raw" / "a.jpg")
    assert not (images / "valid" / "b.jpg").is_symlink()
    assert (images / "full" / "b.jpg").readlink() == Path("../valid/b.jpg")


def test_copy_shares_nothing(splits: dict[Split, Records], tmp_path: Path) -> None:
    write(splits, tmp_path / "set", LinkMode.COPY)
    everything = [path for path in (tmp_path / "set").rglob("*.*") if not path.is_symlink()]
    assert len({path.stat().st_ino for path in everything}) == len(everything) == 12


@pytest.mark.parametrize("mode", list(LinkMode))
def test_half_of_an_earlier_run_is_completed(splits: dict[Split, Records], tmp_path: Path, mode: LinkMode) -> None:
    write(splits, tmp_path / "set", mode)
    whole = files(tmp_path / "set")
    raw = {path: path.read_bytes() for path in (tmp_path / "raw").iterdir()}
    (tmp_path / "set" / "images" / "full" / "a.jpg").unlink()
    torn = tmp_path / "set" / "images" / "valid" / "b.jpg"
    content = torn.read_bytes()
    torn.unlink()
    torn.write_bytes(content[:50])
    write(splits, tmp_path / "set", mode)
    assert files(tmp_path / "set") == whole
    assert {path: path.read_bytes() for path in (tmp_path / "raw").iterdir()} == raw


def test_draft_of_another_mode_is_never_written_through_to_the_raw_file(
    splits: dict[Split, Records], tmp_path: Path
) -> None:
    write(splits, tmp_path / "set", LinkMode.SYMLINK)
    write(splits, tmp_path / "set", LinkMode.COPY)
    assert not any(path.is_symlink() for path in (tmp_path / "set").rglob("*.*"))


def test_what_lies_there_already_is_not_read_again(splits: dict[Split, Records], tmp_path: Path) -> None:
    write(splits, tmp_path / "set", LinkMode.HARDLINK)
    for path in (tmp_path / "raw").iterdir():
        path.unlink()
    write(splits, tmp_path / "set", LinkMode.HARDLINK)


@pytest.mark.parametrize("refused", ["hardlink_to", "symlink_to"])
def test_file_system_without_links_gets_copies(
    splits: dict[Split, Records], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    mode = LinkMode.HARDLINK if refused == "hardlink_to" else LinkMode.SYMLINK
    write(splits, tmp_path / "linked", mode)
    monkeypatch.setattr(Path, refused, refuse)
    write(splits, tmp_path / "copied", mode)
    assert files(tmp_path / "copied") == files(tmp_path / "linked")
    assert not any(path.is_symlink() for path in (tmp_path / "copied").rglob("*"))


def test_picture_that_changed_since_it_was_checked_is_refused(splits: dict[Split, Records], tmp_path: Path) -> None:
    (tmp_path / "raw" / "a.jpg").write_bytes(jpeg(shade=200))
    with pytest.raises(InputError, match=r"a\.jpg was changed while it was being prepared"):
        write(splits, tmp_path / "set", LinkMode.HARDLINK)


def test_boxes_without_pictures_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has boxes and no picture"):
        write({Split.TRAIN: (ImageRecord("a", None, 9, 9),)}, tmp_path / "set", LinkMode.HARDLINK)
