from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.records import Source
from data_prep.store import RawStore
from tests.data_prep.conftest import jpeg, write_zip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    write_zip(tmp_path / "a.zip", {"x/a.jpg": jpeg(), "x/b.txt": b"text"})
    return tmp_path / "a.zip"


def test_members_and_plain_files_are_read_alike(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with RawStore() as store:
        member = store.members(archive)[0]
        assert store.read(member) == store.read(Source(tmp_path / "a.jpg")) == jpeg()
        assert store.image_size(member) == store.image_size(Source(tmp_path / "a.jpg")) == (64, 36)


def test_archive_is_opened_once(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    original = zipfile.ZipFile.__init__

    def count(self: zipfile.ZipFile, *args: object, **options: object) -> None:
        opened.append(args)
        original(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(zipfile.ZipFile, "__init__", count)
    with RawStore() as store:
        for source in store.members(archive) * 3:
            store.read(source)
            store.fingerprint(source)
    assert len(opened) == 1


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    prints = set()
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        write_zip(tmp_path / f"{name}.zip", {"x": content})
        with RawStore() as store:
            prints.add(store.fingerprint(Source(tmp_path / f"{name}.zip", "x")))
    assert len(prints) == 2


def test_encrypted_member_is_named(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # the flag of an encrypted member
    archive.write_bytes(bytes(content))
    with RawStore() as store, pytest.raises(InputError, match=r"a.zip:x/a.jpg cannot be read .*encrypted"):
        store.read(store.members(archive)[0])


def test_missing_file_is_named(tmp_path: Path) -> None:
    with RawStore() as store, pytest.raises(InputError, match=r"no.jpg cannot be read \(No such file"):
        store.read(Source(tmp_path / "no.jpg"))


def test_missing_archive_is_named_whatever_is_asked_of_it(tmp_path: Path) -> None:
    source = Source(tmp_path / "no.zip", "a.jpg")
    with RawStore() as store:
        for ask in (store.read, store.image_size, store.fingerprint):
            with pytest.raises(InputError, match=r"no.zip cannot be read \(No such file"):
                ask(source)
