from __future__ import annotations

import os
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.records import Source
from data_prep.store import RawStore
from data_prep.store.archive import Archive
from data_prep.store.store import _open_archive
from tests.data_prep.conftest import jpeg, write_zip
from tests.data_prep.store.builders import CONTENTS, write_tar

LIMITED = Limits(image_bytes=1000)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_zip(tmp_path / "a.zip", {"x/a.jpg": jpeg(), "x/b.txt": b"text"})
    return tmp_path / "a.zip"


def test_members_and_plain_files_are_read_alike(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with RawStore() as store:
        member = store.members(archive)[0]
        assert store.read(member) == store.read(Source(tmp_path / "a.jpg")) == jpeg()


def test_kind_of_archive_is_told_by_content(tmp_path: Path) -> None:
    write_zip(tmp_path / "zip.tar", CONTENTS)
    write_tar(tmp_path / "tar.zip")
    for path in (tmp_path / "zip.tar", tmp_path / "tar.zip"):
        with RawStore() as store:
            sources = store.members(path)
            assert {str(source.member): store.read(source) for source in sources} == CONTENTS
            assert store.files(path) == sources


def test_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path) -> None:
    write_zip(tmp_path / "inner.zip", {"inner.txt": b"x"})
    write_tar(tmp_path / "a.tar", {"a.jpg": b"a", "inner.zip": (tmp_path / "inner.zip").read_bytes()})
    with RawStore() as store:
        assert [source.name for source in store.members(tmp_path / "a.tar")] == ["a.jpg", "inner.zip"]


def test_empty_archives_have_no_members(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {})
    write_tar(tmp_path / "a.tar", {})
    with RawStore() as store:
        assert store.members(tmp_path / "a.zip") == store.members(tmp_path / "a.tar") == []


def test_archive_is_opened_once_by_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def count(path: Path, limits: Limits) -> Archive:
        opened.append(path)
        time.sleep(0.05)  # the other threads come meanwhile
        return _open_archive(path, limits)

    monkeypatch.setattr("data_prep.store.store._open_archive", count)
    contents = {f"{number}.txt": os.urandom(5000) for number in range(40)}
    paths = [tmp_path / "a.zip", write_tar(tmp_path / "a.tar", contents)]
    with zipfile.ZipFile(paths[0], "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with RawStore() as store, ThreadPoolExecutor(16) as pool:
        for path in paths:
            sources = [Source(path, name) for name in contents] * 20
            assert list(pool.map(store.read, sources)) == list(contents.values()) * 20
            assert len({*pool.map(store.fingerprint, sources)}) == 40
    assert opened == paths


def test_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    large = {"a.jpg": bytes(1001)}
    write_zip(tmp_path / "a.zip", large)
    write_tar(tmp_path / "a.tar", large)
    (tmp_path / "a.jpg").write_bytes(large["a.jpg"])
    for source in (
        Source(tmp_path / "a.zip", "a.jpg"),
        Source(tmp_path / "a.tar", "a.jpg"),
        Source(tmp_path / "a.jpg"),
    ):
        with RawStore(LIMITED) as store:
            with pytest.raises(InputError, match=r"a.jpg has 1001 bytes and 1000 are allowed"):
                store.read(source)
            assert store.read(source, limit=1001) == large["a.jpg"]
            with pytest.raises(InputError, match=r"1001 bytes and 0 are allowed"):
                store.read(source, limit=0)


def test_sparse_file_of_a_terabyte_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(2**40)
    with RawStore() as store:
        with pytest.raises(InputError, match="allowed"):
            store.read(Source(tmp_path / "a.jpg"))
        with pytest.raises(InputError, match="cannot be read"):
            store.members(tmp_path / "a.jpg")


def test_file_whose_size_lies_is_refused() -> None:
    with RawStore() as store, pytest.raises(InputError, match="changed while it was read"):
        store.read(Source(Path("/proc/self/status")))  # 0 bytes, says its directory


def test_fingerprint_follows_the_content_and_reads_none(tmp_path: Path) -> None:
    prints = set()
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2"), ("d", b"22")):
        write_zip(tmp_path / f"{name}.zip", {"x": content})
        with RawStore() as store:
            prints.add(store.fingerprint(Source(tmp_path / f"{name}.zip", "x")))
    assert len(prints) == 3
    plain = tmp_path / "a.jpg"
    with RawStore() as store:
        for times in ((1, 1), (2, 2)):
            plain.write_bytes(b"x")
            os.utime(plain, ns=times)
            prints.add(store.fingerprint(Source(plain)))
        plain.write_bytes(b"xx")
        os.utime(plain, ns=(2, 2))
        prints.add(store.fingerprint(Source(plain)))
    assert len(prints) == 6


def test_fingerprint_in_a_tar_follows_archive_and_place(tmp_path: Path) -> None:
    prints = []
    for members in ({"a": b"1", "b": b"1"}, {"a": b"1", "b": b"1"}, {"a": b"1", "b": b"12"}):
        path = write_tar(tmp_path / "a.tar", members, form=tarfile.USTAR_FORMAT)
        os.utime(path, ns=(5, 5))
        with RawStore() as store:
            prints += [store.fingerprint(Source(path, name)) for name in members]
    assert prints[:2] == prints[2:4]
    assert len(set(prints)) == 3  # `a` is in the third archive what it is in the first
    os.utime(path, ns=(6, 6))
    with RawStore() as store:
        assert store.fingerprint(Source(path, "a")) not in prints


def test_whatever_is_missing_is_named(archive: Path, tmp_path: Path) -> None:
    cases = [
        (Source(tmp_path / "no.jpg"), r"no.jpg cannot be read \(No such file"),
        (Source(tmp_path / "no.zip", "a.jpg"), r"no.zip:a.jpg cannot be read \(No such file"),
        (Source(archive, "x/no.jpg"), r"a.zip:x/no.jpg is not in the archive"),
        (Source(tmp_path / "nul\0.jpg"), r"nul\\x00.jpg cannot be read"),
    ]
    with RawStore() as store:
        for source, message in cases:
            for ask in (store.read, store.fingerprint):
                with pytest.raises(InputError, match=message):
                    ask(source)
        for place in (tmp_path / "no", tmp_path / "no.zip"):
            with pytest.raises(InputError, match="No such file"):
                store.files(place)
        with pytest.raises(InputError, match="is a folder and no file"):
            store.members(tmp_path)


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c"])
def test_archives_without_access_to_single_files_are_refused(start: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(start + bytes(2000))
    with RawStore() as store, pytest.raises(InputError, match=r"unpack it to \.tar or pack it as \.zip"):
        store.members(tmp_path / "a.tar.gz")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"PK\x05\x06", bytes(511), bytes(range(256)) * 40])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with RawStore() as store, pytest.raises(InputError, match=r"a.zip cannot be read \("):
        store.members(tmp_path / "a.zip")


def test_closed_store_lets_go_of_its_files(archive: Path, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not used as paths
    with RawStore() as store:
        for path in (archive, tmp_path / "a.tar"):
            store.members(path)
        assert len(os.listdir("/proc/self/fd")) == before + 2  # noqa: PTH208
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
