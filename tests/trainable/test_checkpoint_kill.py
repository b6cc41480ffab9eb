"""Kills while a checkpoint is written: at chosen bytes and system calls, and at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_prep.errors import WorkFailedError
from tests.trainable.checkpoint_writer import dies_after, dies_before, epoch_in, files, write
from trainable.checkpoint import READABLE, read_checkpoint


def boundaries(folder: Path) -> list[int]:
    """Numbers of bytes around the edges of everything that is written: after it, one less, one more."""
    tensors = next(folder.glob("tensors*")).stat().st_size
    readable = (folder / READABLE).stat().st_size
    edges = [0, 30, 900, 1500, tensors // 2, tensors - 22, tensors, tensors + readable // 2, tensors + readable]
    return sorted({count for edge in edges for count in (edge - 1, edge, edge + 1) if count >= 0})


@pytest.mark.timeout(60)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_kill_after_any_byte_leaves_the_previous_one(tmp_path: Path, before: int) -> None:
    write(tmp_path / "size", before + 1)
    died = 0
    for count in boundaries(tmp_path / "size"):
        folder = tmp_path / str(count)
        for epoch in range(1, before + 1):
            write(folder, epoch)
        killed = dies_after(folder, before + 1, count)
        died += killed
        if before == 0 and killed:
            with pytest.raises(WorkFailedError):
                read_checkpoint(folder)
        else:
            assert epoch_in(folder) == (before if killed else before + 1)
        write(folder, 9)
        assert epoch_in(folder) == 9
        assert len(files(folder)) == 2
    assert died > 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("call", ["fsync", "replace", "open", "unlink", "mkdir"])
def test_a_kill_before_any_system_call_leaves_one_of_the_two(tmp_path: Path, call: str) -> None:
    for passed in range(20):
        folder = tmp_path / str(passed)
        write(folder, 1)
        killed = dies_before(folder, 2, call, passed)
        assert epoch_in(folder) in ((1, 2) if killed else (2,))
        write(folder, 3)
        assert epoch_in(folder) == 3
        assert len(files(folder)) == 2
        if not killed:
            break
    assert not killed
    assert passed > 0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_kills_at_random_moments_never_cost_a_checkpoint(tmp_path: Path) -> None:
    """Forty kills of a process that writes one checkpoint after the other."""
    generator, seen = random.Random(5), 0
    for _ in range(40):
        with _forked_writer(tmp_path / "c", seen + 1) as said:
            for _ in range(generator.randrange(1, 6)):
                told = int(said.readline())
            time.sleep(generator.uniform(0, 0.004))
        found = epoch_in(tmp_path / "c")
        assert found in (told, told + 1, told + 2)  # a line may not have been read yet
        assert found > seen
        seen = found


@contextlib.contextmanager
def _forked_writer(folder: Path, start: int) -> Iterator[Any]:
    """A process that writes epochs from ``start`` on; killed at the end of the block. Yields what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for epoch in range(start, start + 10_000):
                write(folder, epoch)
                os.write(writing, f"{epoch}\n".encode())
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        yield said
        os.kill(child, 9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
