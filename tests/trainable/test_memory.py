from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from trainable.memory import is_out_of_memory, peak, release

SCRIPT = Path(__file__).with_name("limited_memory.py")


def limited(data: Path, image_size: int, megabytes: int, batch_size: int, folder: Path) -> dict[str, Any]:
    """An epoch in a process of its own whose memory ends ``megabytes`` after its set-up (0: does not end)."""
    out = folder / "out.json"
    command = [sys.executable, str(SCRIPT), str(data), *map(str, (image_size, megabytes, batch_size)), str(out)]
    # A fixed threshold lets every tensor have a mapping of its own: what was freed can then be had again, whole. The
    # heap into which glibc moves larger and larger blocks has holes where an address space ends.
    allocator = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    environment = {**os.environ, **allocator, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


class Activation:
    """What a node of the graph keeps for its backward pass."""


class Keep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kept: Activation) -> torch.Tensor:
        ctx.kept = kept
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0], None


class FullMemory(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        raise MemoryError


def test_what_a_failed_backward_pass_left_waiting_is_released() -> None:
    kept = Activation()
    alive = weakref.ref(kept)
    x = torch.ones(3, requires_grad=True)
    loss = (Keep.apply(x, kept).tan() + FullMemory.apply(x)).sum()  # type: ignore[no-untyped-call]  # torch's own
    with pytest.raises(MemoryError):
        loss.backward()
    del kept, loss

    release(torch.device("cpu"))

    assert alive() is None


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_out_of_memory_halves_the_batch_and_changes_nothing_else(shapes: Path, tmp_path: Path) -> None:
    found = limited(shapes, 640, 700, 8, tmp_path)
    expected = limited(shapes, 640, 0, found["batch_size"], tmp_path)

    assert 1 <= found["batch_size"] < 8
    assert found == expected  # the same training as one that had this batch size from the start, bit by bit


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_memory_for_not_even_one_image_is_said(shapes: Path, tmp_path: Path) -> None:
    found = limited(shapes, 960, 150, 2, tmp_path)

    assert found["batch_size"] == 1
    assert "train.image_size 960: yolov5n does not fit into memory even with one image" in found["error"]


def test_real_errors_of_each_library_are_known() -> None:
    for fail in (
        lambda: torch.empty(2**60, dtype=torch.uint8),
        lambda: np.empty(2**60, dtype=np.uint8),
        lambda: cv2.resize(np.zeros((2, 2), np.uint8), (2**30, 2**30)),
    ):
        with pytest.raises(Exception, match=r".") as raised:
            fail()
        assert is_out_of_memory(raised.value), raised.value


@pytest.mark.parametrize(
    "message",
    [
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried",
        "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: not enough memory: you tried",
        "std::bad_alloc",
        "could not create a primitive",
    ],
)
def test_the_words_of_torch_are_known(message: str) -> None:
    assert is_out_of_memory(RuntimeError(message))


def test_other_errors_are_none() -> None:
    for error in (
        RuntimeError("shape mismatch"),
        ValueError("the label says std::bad_alloc"),
        OSError(12, "Cannot allocate memory"),
    ):
        assert not is_out_of_memory(error)


def test_opencvs_other_errors_are_none() -> None:
    with pytest.raises(cv2.error) as raised:
        cv2.resize(np.zeros((0, 0), np.uint8), (2, 2))

    assert not is_out_of_memory(raised.value)


def test_a_gpus_own_error_is_known() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))


def test_a_cpu_has_no_peak() -> None:
    assert peak(torch.device("cpu")) is None
