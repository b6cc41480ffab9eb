from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_prep.errors import InputError
from data_prep.limits import Limits
from data_prep.store import RawStore
from tests.data_prep.conftest import write_zip
from tests.data_prep.store.builders import overlapping_zip, write_zip_entry
from tests.data_prep.store.damage import peak_memory

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


def _refused(path: Path, match: str, limits: Limits | None = None) -> None:
    with RawStore(limits) as store, pytest.raises(InputError, match=match):
        store.members(path)


def _patched(path: Path, changes: dict[bytes, tuple[int, bytes]]) -> Path:
    """Overwrite bytes at an offset behind the last occurrence of each signature."""
    content = bytearray(path.read_bytes())
    for signature, (offset, value) in changes.items():
        at = content.rindex(signature) + offset
        content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFLNK | 0o777, "a symbolic link"),
        (stat.S_IFCHR, "a device"),
        (stat.S_IFBLK, "a device"),
        (stat.S_IFIFO, "a FIFO"),
        (stat.S_IFSOCK, "a socket"),
    ],
)
def test_what_is_no_file_is_refused(mode: int, kind: str, tmp_path: Path) -> None:
    _refused(write_zip_entry(tmp_path / "a.zip", mode=mode), f"a.zip:pig.jpg is {kind} and no file; remove it")


@pytest.mark.parametrize("mode", [0, stat.S_IFREG | 0o644])
def test_regular_files_are_read_whatever_their_mode_says(mode: int, tmp_path: Path) -> None:
    with RawStore() as store:
        sources = store.members(write_zip_entry(tmp_path / "a.zip", mode=mode))
        assert [store.read(source) for source in sources] == [b"first", b"pig"]


@pytest.mark.parametrize("flag", [0x0001, 0x0041, 0x2000])
def test_encrypted_member_is_named(flag: int, tmp_path: Path) -> None:
    path = write_zip_entry(tmp_path / "a.zip")
    _patched(path, {LOCAL: (6, struct.pack("<H", flag)), CENTRAL: (8, struct.pack("<H", flag))})
    _refused(path, "a.zip:pig.jpg is encrypted; pack the archive again without a password")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 1, 93, 99])
def test_methods_that_unpack_without_bounds_are_refused(method: int, tmp_path: Path) -> None:
    path = _patched(write_zip_entry(tmp_path / "a.zip"), {CENTRAL: (10, struct.pack("<H", method))})
    _refused(path, f"a.zip:pig.jpg is packed by method {method}")


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "C:\\evil.jpg", "a\\..\\..\\evil.jpg"])
def test_names_that_lead_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    _refused(write_zip_entry(tmp_path / "a.zip", name), "and pack the archive again")


def test_name_behind_a_nul_is_seen(tmp_path: Path) -> None:
    path = write_zip_entry(tmp_path / "a.zip", "a.jpgX../evil")
    path.write_bytes(path.read_bytes().replace(b"a.jpgX", b"a.jpg\0"))
    _refused(path, r"a.jpg\\x00../evil has a control character")


def test_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.jpg", bytes(10 * 2**20))
    with peak_memory() as peak:
        _refused(tmp_path / "a.zip", r"bomb.jpg unpacks from \d+ to 10485760 bytes, more than 200 times")
    assert peak.taken < 5 * 2**20
    with RawStore(Limits(archive_ratio=1100)) as store:
        (source,) = store.members(tmp_path / "a.zip")
        assert store.read(source) == bytes(10 * 2**20)


def test_many_small_bombs_are_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number}.jpg", bytes(900_000))
    _refused(tmp_path / "a.zip", r"a.zip unpacks from \d+ to 18000000 bytes")


def test_little_that_was_packed_well_is_no_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("empty.json", b" " * 500_000)
    with RawStore() as store:
        assert len(store.read(store.members(tmp_path / "a.zip")[0])) == 500_000


def test_limits_of_an_archive(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"a": bytes(600), "b": bytes(600), "c": b""})
    _refused(tmp_path / "a.zip", "unpacks to 1200 bytes and 1199 are allowed", Limits(archive_bytes=1199))
    _refused(tmp_path / "a.zip", "has more than 2 members", Limits(archive_members=2))
    with RawStore(Limits(archive_members=3, archive_bytes=1200)) as store:
        assert len(store.members(tmp_path / "a.zip")) == 3


def test_directory_of_too_many_members_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    entry = struct.pack("<4s6H3I5H2I", CENTRAL, 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 200_000
    end = struct.pack("<4s4H2IH", END, 0, 0, 0xFFFF, 0xFFFF, len(entry) * count, 0, 0)
    (tmp_path / "a.zip").write_bytes(entry * count + end)
    with peak_memory() as peak:
        _refused(tmp_path / "a.zip", "has more than 1000 members", Limits(archive_members=1000))
    assert peak.taken < 3 * len(entry) * count  # as objects it would be more than ten times that


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(overlapping_zip())
    _refused(tmp_path / "a.zip", "overlaps what comes behind it")
    (tmp_path / "a.zip").write_bytes(overlapping_zip(count=1))
    with RawStore() as store:
        assert [len(store.read(source)) for source in store.members(tmp_path / "a.zip")] == [60_000]


def test_part_of_a_split_archive_is_refused(tmp_path: Path) -> None:
    for offset in (4, 6, 8):  # this disk, the disk of the directory, the members on this disk
        path = _patched(write_zip_entry(tmp_path / "a.zip"), {END: (offset, b"\1\0")})
        _refused(path, "it is one of several parts, or damaged")


def test_archive_that_lacks_its_beginning_is_refused(tmp_path: Path) -> None:
    path = write_zip_entry(tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[7:])
    _refused(path, "its directory is not whole")


def test_entry_that_reaches_out_of_the_directory_is_refused(tmp_path: Path) -> None:
    for offset in (28, 30, 32):  # lengths of name, extra fields and comment
        path = write_zip_entry(tmp_path / "a.zip")
        content = path.read_bytes()
        length = content[content.rindex(CENTRAL) + offset] + 1
        _refused(_patched(path, {CENTRAL: (offset, bytes([length]))}), "its directory is damaged")


def test_member_of_another_name_than_the_directory_says_is_refused(tmp_path: Path) -> None:
    path = _patched(write_zip_entry(tmp_path / "a.zip"), {LOCAL: (30, b"cow.jpg")})
    with RawStore() as store, pytest.raises(InputError, match="its header is not what the directory says"):
        store.read(store.members(path)[1])


@pytest.mark.parametrize("offset", [1, 2**31, 0xFFFFFFFE])
def test_member_that_lies_elsewhere_than_the_directory_says_is_refused(offset: int, tmp_path: Path) -> None:
    path = _patched(write_zip_entry(tmp_path / "a.zip"), {CENTRAL: (42, struct.pack("<I", offset))})
    _refused(path, "overlaps what comes behind it")


@pytest.mark.parametrize("claimed", [0, 10, 99_999, 100_001, 2**31, 0xFFFFFFFE])
def test_sizes_that_lie_are_refused(claimed: int, tmp_path: Path) -> None:
    content = b"".join(struct.pack("<I", number) for number in range(25_000))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", content)
    _patched(tmp_path / "a.zip", {CENTRAL: (24, struct.pack("<I", claimed))})
    with peak_memory() as peak, RawStore() as store, pytest.raises(InputError, match=r"a\.jpg"):
        store.read(store.members(tmp_path / "a.zip")[0])
    assert peak.taken < 10 * 2**20


def test_member_that_unpacks_to_more_than_its_directory_says_takes_no_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(100 * 2**20))
    _patched(tmp_path / "a.zip", {CENTRAL: (24, struct.pack("<I", 1000))})
    with peak_memory() as peak, RawStore() as store, pytest.raises(InputError, match="its size or checksum"):
        store.read(store.members(tmp_path / "a.zip")[0])
    assert peak.taken < 10 * 2**20


def test_member_that_hides_in_the_comment_of_another_one_is_missed(tmp_path: Path) -> None:
    path = write_zip_entry(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    first, last, end = content.index(CENTRAL), content.rindex(CENTRAL), content.rindex(END)
    content[first + 32 : first + 34] = struct.pack("<H", end - last)
    path.write_bytes(content)
    assert [info.filename for info in zipfile.ZipFile(path).infolist()] == ["first.jpg"]
    _refused(path, "its directory is not whole")


def test_wrong_checksum_is_refused(tmp_path: Path) -> None:
    _patched(write_zip_entry(tmp_path / "a.zip"), {CENTRAL: (16, bytes(4))})
    with RawStore() as store, pytest.raises(InputError, match=r"a.zip:pig.jpg cannot be read \(its size or checksum"):
        store.read(store.members(tmp_path / "a.zip")[1])


def test_archive_behind_a_program_is_read(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {"a.jpg": b"pig"})
    (tmp_path / "a.exe").write_bytes(b"MZ" + bytes(5000) + (tmp_path / "a.zip").read_bytes())
    with RawStore() as store:
        assert [store.read(source) for source in store.members(tmp_path / "a.exe")] == [b"pig"]


def test_archive_in_the_large_format_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)  # all sizes and offsets beyond go into extra fields
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    contents = [b"pig", b"cow" * 100, b"pig" * 200]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, content in enumerate(contents):
            with archive.open(f"{number}.jpg", "w", force_zip64=True) as member:
                member.write(content)
    packed = (tmp_path / "a.zip").read_bytes()
    assert b"PK\6\6" in packed
    for front in (b"", b"MZ" * 500):
        (tmp_path / "a.zip").write_bytes(front + packed)
        with RawStore() as store:
            assert [store.read(source) for source in store.members(tmp_path / "a.zip")] == contents


def test_archive_that_was_written_to_a_pipe_is_read(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        content = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.content += bytes(data)  # type: ignore[call-overload]  # whatever zipfile writes is bytes
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # sizes come behind the members
        for name in ("a.jpg", "b.jpg"):
            archive.writestr(name, b"pig" * 100)
    (tmp_path / "a.zip").write_bytes(pipe.content)
    with RawStore() as store:
        assert [store.read(source) for source in store.members(tmp_path / "a.zip")] == [b"pig" * 100] * 2


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(
        st.from_regex(r"[가-힣a-z0-9 ._-]{1,12}/[a-z0-9]{1,8}", fullmatch=True), st.binary(max_size=300)
    ),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    comment=st.binary(max_size=40),
)
def test_store_reads_what_zipfile_wrote(members: dict[str, bytes], method: int, comment: bytes, tmp_path: Path) -> None:
    members = {name: content for name, content in members.items() if "/._" not in name}  # macOS junk
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)
    with RawStore() as store:
        assert {str(source.member): store.read(source) for source in store.members(tmp_path / "a.zip")} == members
        for source in store.members(tmp_path / "a.zip"):
            content = members[str(source.member)]
            assert store.fingerprint(source) == f"{zlib.crc32(content):08x}-{len(content)}"
