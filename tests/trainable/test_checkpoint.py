from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.errors import DiskFullError, WorkFailedError
from search.checkpoints import newest_checkpoint
from tests.trainable.checkpoint_writer import epoch_in, files, on_a_full_disk, write
from trainable.checkpoint import READABLE, TENSORS, read_checkpoint, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(5), "b": [{"c": torch.eye(2)}, 3, 0.5]}

    write_checkpoint(tmp_path / "c", tensors, {"epoch": 4})
    loaded, readable = read_checkpoint(tmp_path / "c")

    assert torch.equal(loaded["a"], tensors["a"])
    assert torch.equal(loaded["b"][0]["c"], torch.eye(2))
    assert readable["epoch"] == 4
    assert files(tmp_path / "c") == [READABLE, TENSORS]


def test_what_json_changes_on_the_way_is_no_damage(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {}, {"nan": math.nan, "pair": (1, 2), "ints": {10: "a", 9: "b"}, "text": "돼지"})

    _, readable = read_checkpoint(tmp_path)

    assert math.isnan(readable["nan"])
    assert readable["pair"] == [1, 2]
    assert readable["ints"] == {"10": "a", "9": "b"}
    assert readable["text"] == "돼지"


def test_the_next_one_takes_the_place_of_the_last_and_nothing_else_stays(tmp_path: Path) -> None:
    (tmp_path / ".tensors.pt.12345.draft").write_bytes(b"left by a kill")
    for epoch in range(1, 6):
        write(tmp_path, epoch)
        assert epoch_in(tmp_path) == epoch
        named = json.loads((tmp_path / READABLE).read_text())["tensors"]["file"]
        assert files(tmp_path) == sorted([READABLE, named])


def test_a_sweep_finds_it_under_either_name(tmp_path: Path) -> None:
    folder = tmp_path / "session_000" / "trial_00003" / "checkpoint_000000"
    for epoch in (1, 2):
        write(folder, epoch)
        found = newest_checkpoint(str(tmp_path), 3, below=9)
        assert found is not None
        assert found.epoch == epoch
    (tensors,) = folder.glob("tensors*")
    tensors.write_bytes(tensors.read_bytes()[:-1])
    assert newest_checkpoint(str(tmp_path), 3, below=9) is None


@pytest.mark.parametrize("name", [TENSORS, READABLE])
@pytest.mark.parametrize("keep", [0, 0.3, 0.999])
def test_a_checkpoint_cut_short_is_refused(tmp_path: Path, name: str, keep: float) -> None:
    write_checkpoint(tmp_path, {"a": torch.arange(1000)}, {"epoch": 1})
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(keep * len(whole))])

    with pytest.raises(WorkFailedError, match=str(tmp_path)):
        read_checkpoint(tmp_path)


def test_without_its_readable_part_it_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a": torch.arange(3)}, {"epoch": 1})
    (tmp_path / READABLE).unlink()

    with pytest.raises(WorkFailedError):
        read_checkpoint(tmp_path)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write(folder, 3)
    return folder


@pytest.mark.timeout(60)
@settings(max_examples=400, deadline=None)
@given(data=st.data(), name=st.sampled_from([TENSORS, READABLE]))
def test_damage_at_any_byte_is_never_a_wrong_load(written: Path, data: st.DataObject, name: str) -> None:
    whole = (written / name).read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.sampled_from(["flip", "cut", "insert", "delete"]))
    damaged = {
        "flip": whole[:position] + bytes([whole[position] ^ (1 << position % 8)]) + whole[position + 1 :],
        "cut": whole[:position],
        "insert": whole[:position] + b"0" + whole[position:],
        "delete": whole[:position] + whole[position + 1 :],
    }[change]
    (written / name).write_bytes(damaged)
    try:
        if name == TENSORS:
            with pytest.raises(WorkFailedError):
                read_checkpoint(written)
        else:
            with contextlib.suppress(WorkFailedError):  # a blank more or less in the JSON is no damage
                assert epoch_in(written) == 3
    finally:
        (written / name).write_bytes(whole)


@pytest.mark.parametrize(
    "text",
    ["[]", "null", "3", '"x"', "{}", '{"tensors": 3}', "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass"), "NaN"],
)
def test_json_that_is_something_else_is_refused(tmp_path: Path, text: str | bytes) -> None:
    write(tmp_path, 1)
    (tmp_path / READABLE).write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(WorkFailedError, match="no whole checkpoint"):
        read_checkpoint(tmp_path)

    write(tmp_path, 2)
    assert epoch_in(tmp_path) == 2


def test_one_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "other", 1)
    write(tmp_path / "c", 1)
    text = (tmp_path / "c" / READABLE).read_text().replace(TENSORS, f"../other/{TENSORS}")
    (tmp_path / "c" / READABLE).write_text(text)

    with pytest.raises(WorkFailedError, match="no whole checkpoint"):
        read_checkpoint(tmp_path / "c")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_full_disk_is_named_and_the_previous_one_stays(tmp_path: Path, share: float) -> None:
    write(tmp_path, 1)
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    said = on_a_full_disk(tmp_path, int(share * len(before[TENSORS])))

    assert said.startswith(f"DiskFullError {tmp_path}: the checkpoint cannot be written: the disk is full")
    assert "free some room" in said
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
    assert epoch_in(tmp_path) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(WorkFailedError, match=r"file/c: the checkpoint cannot be written") as caught:
        write_checkpoint(tmp_path / "file" / "c", {}, {})

    assert not isinstance(caught.value, DiskFullError)


def test_one_that_is_replaced_while_it_is_read_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)
    reading = Path.open

    def replaced(path: Path, *arguments: Any, **more: Any) -> Any:
        if path.name == TENSORS and arguments == ("rb",):
            monkeypatch.setattr(Path, "open", reading)
            write(tmp_path, 2)
        return reading(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", replaced)

    assert epoch_in(tmp_path) == 2


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_writing_holds_the_tensors_once(tmp_path: Path) -> None:
    """200 MB of tensors: the process grows by far less than another 200 MB while it writes them."""
    code = (
        "import sys, torch; from trainable.checkpoint import read_checkpoint, write_checkpoint\n"
        "def kilobytes(key): return next(int(x.split()[1]) for x in open('/proc/self/status') if x.startswith(key))\n"
        "write_checkpoint(sys.argv[1], {'a': torch.zeros(1)}, {}); read_checkpoint(sys.argv[1])\n"
        "tensors = {str(i): torch.ones(5_000_000) for i in range(10)}\n"
        "before = kilobytes('VmRSS'); open('/proc/self/clear_refs', 'w').write('5')\n"
        "write_checkpoint(sys.argv[1], tensors, {}); print((kilobytes('VmHWM') - before) // 1024)\n"
        "del tensors; before = kilobytes('VmRSS'); open('/proc/self/clear_refs', 'w').write('5')\n"
        "read = read_checkpoint(sys.argv[1]); print((kilobytes('VmHWM') - before) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT
    )

    writing, reading = map(int, done.stdout.split())
    assert writing < 60
    assert reading < 200 + 60
