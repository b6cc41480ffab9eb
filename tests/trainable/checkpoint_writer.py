"""Writes checkpoints in processes of their own, which are killed or run out of disk."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from trainable.checkpoint import read_checkpoint, write_checkpoint

KILLED = 9


def content(epoch: int) -> dict[str, Any]:
    """Tensors that say which epoch they are of."""
    return {"model": {"a": torch.full((4000,), float(epoch)), "b": torch.arange(epoch, epoch + 9)}, "epoch": epoch}


def write(folder: Path, epoch: int) -> None:
    write_checkpoint(folder, content(epoch), {"epoch": epoch, "metrics": {"fitness": 0.1 * epoch}})


def epoch_in(folder: Path) -> int:
    """The epoch of the checkpoint in ``folder``, whose tensors must be those of that epoch."""
    tensors, readable = read_checkpoint(folder)
    epoch = int(readable["epoch"])
    expected = content(epoch)
    assert tensors["epoch"] == epoch
    for key, value in expected["model"].items():
        assert torch.equal(tensors["model"][key], value)
    assert readable["metrics"] == {"fitness": 0.1 * epoch}
    return epoch


def files(folder: Path) -> list[str]:
    """Names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


class DeadlyFile:
    """A file after whose first bytes the process ends, as by a kill; ``left`` counts over all files."""

    left = 0

    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, data: Any) -> int:
        if len(data) > DeadlyFile.left:
            self.file.write(bytes(data)[: DeadlyFile.left])
            self.file.flush()
            os._exit(KILLED)
        DeadlyFile.left -= len(data)
        return int(self.file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> DeadlyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def dies_after(folder: Path, epoch: int, count: int) -> bool:
    """Write a checkpoint in a fork that ends after ``count`` bytes; False if it was finished before."""
    return _in_fork(folder, epoch, lambda: _limit_bytes(count))


def dies_before(folder: Path, epoch: int, call: str, passed: int) -> bool:
    """The same, ending before a system call after ``passed`` of its kind."""
    return _in_fork(folder, epoch, lambda: _limit_calls(call, passed))


def _in_fork(folder: Path, epoch: int, arm: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        try:
            arm()
            write(folder, epoch)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED)
    return status == KILLED


def _limit_bytes(count: int) -> None:
    opened, DeadlyFile.left = Path.open, count

    def deadly(path: Path, mode: str = "r", **more: Any) -> Any:
        file = opened(path, mode, **more)
        return DeadlyFile(file) if "w" in mode else file

    Path.open = deadly  # type: ignore[method-assign, assignment]


def _limit_calls(call: str, passed: int) -> None:
    owner: Any = os if call == "fsync" else Path
    called, left = getattr(owner, call), [passed]

    def deadly(*arguments: Any, **more: Any) -> Any:
        if left[0] == 0:
            os._exit(KILLED)
        left[0] -= 1
        return called(*arguments, **more)

    setattr(owner, call, deadly)


def on_a_full_disk(folder: Path, limit: int) -> str:
    """Write in a fork whose files may have ``limit`` bytes; what became of it."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        said = "written"
        try:
            write(folder, 2)
        except Exception as error:
            said = f"{type(error).__name__} {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    os.wait()
    with os.fdopen(reading) as file:
        return file.read()
