from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.store import RawStore
from tests.data_prep.store.builders import CONTENTS, tar_header, write_odd_tar, write_tar
from tests.data_prep.store.damage import peak_memory

END = bytes(1024)


def _refused(path: Path, match: str, limits: Limits | None = None) -> None:
    with RawStore(limits) as store, pytest.raises(InputError, match=match):
        store.members(path)


def _contents(path: Path) -> dict[str, bytes]:
    with RawStore() as store:
        return {str(source.member): store.read(source) for source in store.members(path)}


def _pax(records: bytes) -> bytes:
    return tar_header(b"pax", b"%011o\0" % len(records), b"x") + records + bytes(-len(records) % 512)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a symbolic link and no file"),
        (tarfile.LNKTYPE, "is a hard link and no file"),
        (tarfile.CHRTYPE, "is a device and no file"),
        (tarfile.BLKTYPE, "is a device and no file"),
        (tarfile.FIFOTYPE, "is a FIFO and no file"),
        (tarfile.GNUTYPE_SPARSE, "is a sparse file and no file"),
        (b"M", "is a part of a file and no file"),
        (b"D", "is of the unknown type"),
        (b"\xff", "is of the unknown type"),
    ],
)
def test_what_is_no_file_is_refused(kind: bytes, words: str, tmp_path: Path) -> None:
    _refused(write_odd_tar(tmp_path / "a.tar", kind), rf"a\.tar:pig\.jpg {words}")


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_format_is_read(form: int, tmp_path: Path) -> None:
    long = {f"{'가축' * 12}/{'folder/' * 9}{number}.jpg": bytes([number]) * 700 for number in range(3)}
    members = CONTENTS | long
    assert _contents(write_tar(tmp_path / "a.tar", members, form=form)) == members


def test_old_format_without_a_magic_is_read(tmp_path: Path) -> None:
    folder = tar_header(b"folder/", b"00000000000\0", b"\0")
    (tmp_path / "a.tar").write_bytes(folder + tar_header(b"folder/a.jpg", kind=b"\0") + b"pig" + bytes(509) + END)
    assert _contents(tmp_path / "a.tar") == {"folder/a.jpg": b"pig"}


@pytest.mark.parametrize(("magic", "name"), [(b"ustar\x0000", "folder/a.jpg"), (b"ustar  \0", "a.jpg"), (b"", "a.jpg")])
def test_prefix_of_a_name_is_one_in_its_own_format_only(magic: bytes, name: str, tmp_path: Path) -> None:
    header = tar_header(magic=magic, prefix=b"folder")
    (tmp_path / "a.tar").write_bytes(header + b"pig" + bytes(509) + END)
    assert _contents(tmp_path / "a.tar") == {name: b"pig"}


def test_folder_with_a_size_has_no_content(tmp_path: Path) -> None:
    folder = tar_header(b"folder/", b"00000010000\0", b"5")
    (tmp_path / "a.tar").write_bytes(folder + tar_header() + b"pig" + bytes(509) + END)
    assert _contents(tmp_path / "a.tar") == {"a.jpg": b"pig"}


def test_folders_labels_and_comments_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", pax_headers={"comment": "a commit"}) as archive:
        for name, kind in (("folder", tarfile.DIRTYPE), ("./folder/a.jpg", tarfile.REGTYPE), ("backup", b"V")):
            info = tarfile.TarInfo(name)
            info.type = kind
            archive.addfile(info)
    assert _contents(tmp_path / "a.tar") == {"folder/a.jpg": b""}


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "C:\\evil.jpg", "a\\..\\..\\evil.jpg", "a\n.jpg"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_that_lead_elsewhere_are_refused(name: str, form: int, tmp_path: Path) -> None:
    _refused(write_tar(tmp_path / "a.tar", {"fine.jpg": b"", name: b"evil"}, form=form), "and pack the archive again")
    long = name + "x" * 200
    _refused(write_tar(tmp_path / "a.tar", {"fine.jpg": b"", long: b"evil"}, form=form), "and pack the archive again")


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes((tar_header() + b"pig" + bytes(509)) * 2 + END)
    _refused(tmp_path / "a.tar", "a.jpg is there twice")


@pytest.mark.parametrize(
    ("size", "match"),
    [
        (b"77777777777\0", "it is cut off"),
        (b"\x80" + b"\xff" * 11, "it is cut off"),
        (b"\xff" * 12, "a header is damaged"),  # negative: an endless loop in Python 3.11
        (b"-0000000001\0", "a header is damaged"),
        (b"0x000000003\0", "a header is damaged"),
        (b"00000001000\0", "it is cut off"),
    ],
)
def test_sizes_that_lie_are_refused(size: bytes, match: str, tmp_path: Path) -> None:
    for kind in (b"0", b"L", b"x"):
        (tmp_path / "a.tar").write_bytes(tar_header() + b"pig" + bytes(509) + tar_header(b"b.jpg", size, kind))
        with peak_memory() as peak:
            _refused(tmp_path / "a.tar", f"a.tar cannot be read .({match}|it has an extended header of)")
        assert peak.taken < 5 * 2**20


@pytest.mark.parametrize(
    ("records", "match"),
    [
        (b"20 GNU.sparse.major=1\n"[:2] + b" GNU.sparse.map=0,3\n"[:17] + b"\n", "is a sparse file"),
        (b"9" * 600, "extended header is damaged"),  # quadratic in Python 3.11
        (b"12 path=a\nxx", "extended header is damaged"),
        (b"0 path=a\n", "extended header is damaged"),
        (b"10 size=-1\n", "extended header is damaged"),
        (b"14 size=99999\n", "it is cut off"),
        (b"99999999999999999999 path=a\n", "extended header is damaged"),
        (b"11 pathless\n", "extended header is damaged"),
    ],
)
def test_extended_headers_that_lie_are_refused(records: bytes, match: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(_pax(records) + tar_header() + b"pig" + bytes(509) + END)
    _refused(tmp_path / "a.tar", match)


def test_huge_extended_header_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(tar_header() + b"pig" + bytes(509) + tar_header(b"pax", b"%011o\0" % 2**30, b"x"))
        file.truncate(2**31)
    with peak_memory() as peak:
        _refused(tmp_path / "a.tar", "it has an extended header of 1073741824 bytes")
    assert peak.taken < 5 * 2**20


def test_chain_of_extended_headers_needs_no_stack(tmp_path: Path) -> None:
    name = tar_header(b"long", b"00000000003\0", b"L") + b"b.j" + bytes(509)
    (tmp_path / "a.tar").write_bytes(name * 5000 + tar_header() + b"pig" + bytes(509) + END)
    assert _contents(tmp_path / "a.tar") == {"b.j": b"pig"}


def test_global_header_that_names_all_members_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", pax_headers={"path": "same.jpg"}) as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    _refused(tmp_path / "a.tar", "a global header names or sizes all members")


def test_archive_that_does_not_end_as_it_should_is_refused(tmp_path: Path) -> None:
    whole = tar_header() + b"pig" + bytes(509)
    other = tar_header(b"b.jpg") + b"cow" + bytes(509)
    for content, match in (
        (whole, "it is cut off"),
        (whole[:700], "it is cut off"),
        (whole + other[:300], "it is cut off"),
        (whole + END + other + END, "it goes on behind its end mark"),
        (whole + bytes(512) + other + END, "it goes on behind its end mark"),
        (whole + END + bytes(2**20), "it goes on behind its end mark"),
        (whole + b"\1" + other[1:] + END, "a header has a wrong checksum"),
        (_pax(b"11 path=ab\n") + END, "it is cut off"),
    ):
        (tmp_path / "a.tar").write_bytes(content)
        _refused(tmp_path / "a.tar", match)
    for content in (whole + bytes(512), whole + END, whole + bytes(10_240 - 1024)):
        (tmp_path / "a.tar").write_bytes(content)
        assert _contents(tmp_path / "a.tar") == {"a.jpg": b"pig"}


def test_archive_that_shrinks_while_it_is_open_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a.jpg": bytes(5000)})
    with RawStore() as store:
        (source,) = store.members(path)
        with path.open("r+b") as file:
            file.truncate(2000)
        with pytest.raises(InputError, match="it is cut off"):
            store.read(source)


def test_limits_of_an_archive(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a": bytes(600), "b": bytes(600), "c": b""})
    _refused(path, "unpacks to 1200 bytes and 1199 are allowed", Limits(archive_bytes=1199))
    _refused(path, "has more than 2 members", Limits(archive_members=2))
    with RawStore(Limits(archive_members=3, archive_bytes=1200)) as store:
        assert len(store.members(path)) == 3


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(
        st.from_regex(r"[가-힣a-z0-9 _-]{1,60}/[a-z0-9]{1,60}", fullmatch=True), st.binary(max_size=1100), max_size=6
    ),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_store_reads_what_tarfile_wrote(members: dict[str, bytes], form: int, tmp_path: Path) -> None:
    assert _contents(write_tar(tmp_path / "a.tar", members, form=form)) == members
