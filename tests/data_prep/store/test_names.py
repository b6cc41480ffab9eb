from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.store import RawStore
from data_prep.store.names import guess_encoding, index_names, is_junk
from tests.data_prep.conftest import write_zip
from tests.data_prep.store.builders import CONTENTS, write_tar

ARCHIVE = Path("a.zip")


@pytest.mark.parametrize(
    ("name", "objection"),
    [
        ("../evil.jpg", "leads out"),
        ("a/../../evil.jpg", "leads out"),
        ("a\\..\\evil.jpg", "leads out"),
        ("a/..", "leads out"),
        ("../", "leads out"),
        ("/etc/passwd", "absolute"),
        ("\\windows\\evil.jpg", "absolute"),
        ("\\\\server\\evil.jpg", "absolute"),
        ("C:\\evil.jpg", "absolute"),
        ("c:evil.jpg", "absolute"),
        ("a\0.jpg", "control character"),
        ("a\n.jpg", "control character"),
        ("a\x1b[31m.jpg", "control character"),
        ("a\x85.jpg", "control character"),
        ("", "no name"),
        (".", "no name"),
        ("__MACOSX/../evil", "leads out"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str, objection: str) -> None:
    with pytest.raises(InputError, match=objection) as error:
        index_names(ARCHIVE, [("fine.jpg", 1), (name, 2)])
    assert str(error.value).startswith("a.zip:")
    assert str(error.value).isprintable()


def test_names_are_made_plain() -> None:
    names = ["./a.jpg", "b//c.jpg", "d\\e.jpg", "f..g/..h.jpg", "10:30.jpg", "g/", "h\\", "./"]
    indexed = index_names(ARCHIVE, [(name, name) for name in names])
    assert list(indexed) == ["a.jpg", "b/c.jpg", "d/e.jpg", "f..g/..h.jpg", "10:30.jpg"]
    assert indexed["d/e.jpg"] == "d\\e.jpg"


@pytest.mark.parametrize("second", ["a/b.jpg", "a//b.jpg", "./a/b.jpg", "a\\b.jpg"])
def test_two_members_of_one_name_are_refused(second: str) -> None:
    with pytest.raises(InputError, match="is there twice"):
        index_names(ARCHIVE, [("a/b.jpg", 1), (second, 2)])


def test_junk_of_macos_is_left_out() -> None:
    junk = ["__MACOSX/a/._b.jpg", "a/._b.jpg", "a/.DS_Store", "._b.jpg"]
    assert all(is_junk(name) for name in junk)
    assert list(index_names(ARCHIVE, [(name, 0) for name in [*junk, *junk, "a/b._c", ".hidden"]])) == [
        "a/b._c",
        ".hidden",
    ]


def test_encoding_is_guessed_from_all_names() -> None:
    pig = "돼지"
    assert guess_encoding([b"a", pig.encode()]) == "utf-8"
    assert guess_encoding([b"a", pig.encode("cp949")]) == "cp949"
    assert guess_encoding([pig.encode(), pig.encode("cp949"), b"\xff"]) is None
    assert guess_encoding([]) == "utf-8"


@pytest.mark.parametrize("cp949", [True, False])
def test_korean_names_of_a_zip(cp949: bool, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", CONTENTS, cp949=cp949)
    _require_contents(tmp_path / "a.zip")


def test_utf8_names_of_a_zip_that_does_not_say_so(tmp_path: Path) -> None:
    class Unflagged(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own hook
            return self.filename.encode(), self.flag_bits

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in CONTENTS.items():
            archive.writestr(Unflagged(name), content)
    _require_contents(tmp_path / "a.zip")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_korean_names_of_a_tar(form: int, encoding: str, tmp_path: Path) -> None:
    _require_contents(write_tar(tmp_path / "a.tar", form=form, encoding=encoding))


def test_names_in_the_own_encoding_of_zip(tmp_path: Path) -> None:
    class Cp437(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own hook
            return self.filename.encode("cp437"), self.flag_bits

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(Cp437("né.jpg"), b"x")
    with RawStore() as store:
        assert [source.member for source in store.members(tmp_path / "a.zip")] == ["né.jpg"]


def test_names_in_no_known_encoding_are_still_told_apart(tmp_path: Path) -> None:
    names = [b"\xff\xfe1.jpg", b"\xff\xfe2.jpg"]
    members = {name.decode("utf-8", "surrogateescape"): name for name in names}
    path = write_tar(tmp_path / "a.tar", members, form=tarfile.GNU_FORMAT)
    with RawStore() as store:
        sources = store.members(path)
        assert [store.read(source) for source in sources] == names
        assert all(str(source).isprintable() for source in sources)


def _require_contents(path: Path) -> None:
    with RawStore() as store:
        assert {str(source.member): store.read(source) for source in store.members(path)} == CONTENTS
