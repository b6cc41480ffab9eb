"""Damaged archives end in one sentence; what can still be read of a zip is what was packed."""

from __future__ import annotations

import random
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from data_prep.errors import InputError
from data_prep.store import RawStore
from tests.data_prep.conftest import jpeg, write_zip
from tests.data_prep.store.builders import CONTENTS, write_tar
from tests.data_prep.store.damage import damaged, peak_memory

MEMBERS = CONTENTS | {"herd/a.jpg": jpeg(), "herd/b.jpg": jpeg(shade=7)}
ROUNDS = 700


def _zips(folder: Path) -> list[bytes]:
    write_zip(folder / "stored.zip", MEMBERS)
    write_zip(folder / "korean.zip", MEMBERS, cp949=True)
    with zipfile.ZipFile(folder / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = b"a comment"
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(folder / "large.zip", "w") as archive:
        for name, content in MEMBERS.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    return [path.read_bytes() for path in sorted(folder.glob("*.zip"))]


def _tars(folder: Path) -> list[bytes]:
    members = MEMBERS | {"long/" * 40 + "name.jpg": b"long"}
    forms = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
    return [write_tar(folder / f"{name}.tar", members, form=form).read_bytes() for name, form in forms.items()]


def _read_all(path: Path) -> tuple[dict[str, bytes], int]:
    """Read what can be read; returns it and the number of refusals."""
    read, refused = dict[str, bytes](), 0
    with RawStore() as store:
        try:
            sources = store.members(path)
        except InputError as error:
            _require_one_sentence(error, path)
            return {}, 1
        for source in sources:
            try:
                read[str(source.member)] = store.read(source)
                store.fingerprint(source)
            except InputError as error:
                _require_one_sentence(error, path)
                refused += 1
    return read, refused


def _require_one_sentence(error: InputError, path: Path) -> None:
    assert str(error).startswith(str(path)), error
    assert str(error).isprintable(), error
    assert "object at 0x" not in str(error), error


def test_damaged_zips_are_refused_or_give_what_was_packed(tmp_path: Path) -> None:
    rng, whole, refused = random.Random(1), 0, 0
    originals = _zips(tmp_path)
    path = tmp_path / "damaged.zip"
    with peak_memory() as peak:
        for _ in range(ROUNDS):
            path.write_bytes(damaged(rng.choice(originals), rng))
            read, refusals = _read_all(path)
            refused += bool(refusals)
            whole += read == MEMBERS
            # A flipped bit in a name is another name; the checksums are of the contents.
            _require_original_contents(read, MEMBERS)
    assert peak.taken < 200 * 2**20
    assert refused > ROUNDS / 2
    assert whole > 0  # damage to time stamps and the like


def test_damaged_tars_are_refused_or_lose_no_member(tmp_path: Path) -> None:
    rng, refused = random.Random(2), 0
    originals = _tars(tmp_path)
    path = tmp_path / "damaged.tar"
    count = len(MEMBERS) + 1
    with peak_memory() as peak:
        for _ in range(ROUNDS):
            original = rng.choice(originals)
            content = damaged(original, rng)
            path.write_bytes(content)
            read, refusals = _read_all(path)
            refused += bool(refusals)
            # Tar has no checksum of contents, but every member is there, unless the rest was overwritten by what is
            # the end mark of a tar.
            assert refusals or len(read) == count or original.startswith(content.rstrip(b"\0"))
    assert peak.taken < 200 * 2**20
    assert refused > ROUNDS / 3


def test_garbage_is_refused(tmp_path: Path) -> None:
    rng = random.Random(3)
    starts = (b"", b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02", b"BM", bytes(512))
    for _ in range(200):
        (tmp_path / "a.zip").write_bytes(rng.choice(starts) + rng.randbytes(rng.randrange(3000)) + rng.choice(starts))
        read, refused = _read_all(tmp_path / "a.zip")
        assert refused or not read


def test_damaged_directories_of_zips_are_refused_or_lose_no_member(tmp_path: Path) -> None:
    rng = random.Random(4)
    originals = _zips(tmp_path)
    path = tmp_path / "damaged.zip"
    for _ in range(ROUNDS):
        content = rng.choice(originals)
        start = content.index(b"PK\x01\x02")
        path.write_bytes(content[:start] + damaged(content[start:], rng))
        read, refused = _read_all(path)
        assert refused or len(read) == len(MEMBERS)


def _require_original_contents(read: Mapping[str, bytes], members: Mapping[str, bytes]) -> None:
    for name, content in read.items():
        if name in members:
            assert content == members[name], name
        else:
            assert content in members.values(), name
