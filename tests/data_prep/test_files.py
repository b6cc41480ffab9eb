from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping, write_atomically


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


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: " + "[" * 5000,
        "a: \x00",
        "{[1, 2]: 3}",
        "a: !!timestamp x",
        "a: !!bool x",
        "a: !!python/object:os.system x",
        "a: 0x" + "f" * 5000,
        "a: 1" + "0" * 5000,
    ],
)
def test_yaml_that_cannot_be_read_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a.yaml is no valid YAML[^\n]*; correct it there$"):
        read_yaml_mapping(tmp_path / "a.yaml")


def test_aliases_of_aliases_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "a.yaml").write_text("\n".join(lines))
    with pytest.raises(InputError, match="stands for more than 1000000 values"):
        read_yaml_mapping(tmp_path / "a.yaml")


def test_aliases_that_are_meant_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {x: 1}\nb: *a\n")
    assert read_yaml_mapping(tmp_path / "a.yaml") == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize("path", ["/dev/zero", "/", "\x00", "x" * 5000, "\udcff"])
def test_what_is_no_file_is_refused_and_never_waited_for(path: str) -> None:
    with pytest.raises(InputError):
        read_yaml_mapping(Path(path))


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(InputError, match="is no file"):
        read_yaml_mapping(tmp_path / "a.yaml")


def test_file_that_is_far_too_long_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as stream:
        stream.truncate(2**33)
    with pytest.raises(InputError, match="more than 4 MiB"):
        read_yaml_mapping(tmp_path / "a.yaml")
