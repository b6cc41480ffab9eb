from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source
from data_prep.store import RawStore
from data_prep.store.plain import list_folder


def _listed(folder: Path, limits: Limits | None = None) -> list[str]:
    with RawStore(limits) as store:
        return [source.path.relative_to(folder).as_posix() for source in store.files(folder)]


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_of_a_folder_are_sorted_by_path(tmp_path: Path) -> None:
    names = ["a.jpg", "a/z.jpg", "a-b/c.jpg", "B/c.jpg", "돼지/1.jpg"]
    _touch(*(tmp_path / name for name in names))
    assert _listed(tmp_path) == sorted(names)


def test_junk_of_macos_is_left_out(tmp_path: Path) -> None:
    _touch(*(tmp_path / name for name in ("__MACOSX/a/b.jpg", "a/._b.jpg", "a/.DS_Store", "a/b.jpg")))
    assert _listed(tmp_path) == ["a/b.jpg"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    _touch(tmp_path / "real/a.jpg", tmp_path / "elsewhere/b.jpg")
    folder = tmp_path / "real"
    (folder / "up").symlink_to(tmp_path)
    (folder / "self").symlink_to(folder)
    (folder / "file.jpg").symlink_to("a.jpg")
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    expected = ["a.jpg", "file.jpg", "folder/b.jpg", "up/elsewhere/b.jpg"]
    assert _listed(folder) == expected


def test_links_that_lead_nowhere_are_listed_and_say_so_when_read(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("no.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert _listed(tmp_path) == ["gone.jpg", "loop.jpg"]
    with RawStore() as store:
        for name, reason in (("gone.jpg", "No such file"), ("loop.jpg", "Too many levels")):
            with pytest.raises(InputError, match=rf"{name} cannot be read \({reason}"):
                store.read(Source(tmp_path / name))


def test_folders_that_multiply_by_links_end_at_the_limit(tmp_path: Path) -> None:
    for number in range(30):  # 2**30 paths
        (tmp_path / f"{number:02d}").mkdir()
        for name in "ab":
            (tmp_path / f"{number:02d}" / name).symlink_to(tmp_path / f"{number + 1:02d}")
    _touch(tmp_path / "30/x.jpg")
    with pytest.raises(InputError, match="holds more than 500 files"):
        _listed(tmp_path / "00", Limits(archive_members=500))


def test_fifos_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with RawStore() as store:
        for ask in (store.files, store.members):
            with pytest.raises(InputError, match=r"a\.jpg is a FIFO and no file"):
                ask(tmp_path / "a.jpg")
        with pytest.raises(InputError, match=r"a\.jpg is a FIFO and no file"):
            store.files(tmp_path)
        with pytest.raises(InputError, match=r"a\.jpg is a FIFO and no file"):
            store.read(Source(tmp_path / "a.jpg"))
        with pytest.raises(InputError, match=r"a\.jpg is a FIFO and no file"):
            store.read(Source(tmp_path / "a.jpg", "member.jpg"))


def test_devices_and_sockets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero/a.jpg").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)  # paths of sockets must be short
    Path("socket").mkdir()
    with socket.socket(socket.AF_UNIX) as server, RawStore() as store:
        server.bind("socket/b.jpg")
        for path, kind in (("zero/a.jpg", "a device"), ("socket/b.jpg", "a socket")):
            with pytest.raises(InputError, match=f"{path} is {kind} and no file"):
                store.files(Path(path).parent)
            with pytest.raises(InputError, match=f"{path} is {kind} and no file"):
                store.read(Source(Path(path)))


def test_names_in_no_encoding_do_not_disturb(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe\x1b[31m.jpg"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    with RawStore() as store:
        (source,) = store.files(tmp_path)
        assert store.read(source) == b"x"
        assert str(source).isprintable()
        with pytest.raises(InputError) as error:
            store.read(source, limit=0)
    assert str(error.value).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(InputError, match="Permission denied"):
        _listed(tmp_path)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", ".b.jpg", ".ipynb_checkpoints/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list_folder(tmp_path, most=10) == [tmp_path / "a.jpg"]
