from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from data_prep.files import write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    write_atomically(target, b"new")

    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("/dev/full, which stands for a full disk here, is a Linux device")
    target = tmp_path / "file"
    target.write_bytes(b"old")
    draft = target.with_name(f".file.{os.getpid()}.draft")
    draft.symlink_to(path)

    with pytest.raises(OSError, match="No space left") as raised:
        write_atomically(target, b"new" * 100000)

    assert raised.value.errno == errno.ENOSPC
    assert target.read_bytes() == b"old"
    assert not draft.is_symlink()
