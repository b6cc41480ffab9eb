"""Out of memory: how it is told from other failures, and what a GPU has given out."""

from __future__ import annotations

import cv2
import torch

_SIGNS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "std::bad_alloc",
    "could not create a primitive",  # oneDNN, which says no more
)
"""What torch's messages say where memory of the host is at its end; there is no class for it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory, of the GPU or of the host, is at its end."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, cv2.error):
        return error.code == cv2.Error.StsNoMem
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Give memory that is no longer used back: to this process, and to the GPU's other users.

    A backward pass that failed on the CPU leaves the rest of its tasks, and with them every activation of its batch, in
    the thread's queue until the next pass makes a new one (torch/csrc/autograd/engine.cpp, ``init_local_ready_queue``).
    """
    torch.zeros((), requires_grad=True).backward()  # type: ignore[no-untyped-call]  # torch left it untyped
    if device.type == "cuda":
        torch.cuda.empty_cache()


def watch(device: torch.device) -> None:
    """Start measuring the peak anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device) -> tuple[int, int] | None:
    """Most bytes of GPU memory that this process held since :func:`watch`, and those of the GPU; None on a CPU.

    What was reserved counts, not what was in use: neighbours cannot have it either.
    """
    if device.type != "cuda":
        return None
    return torch.cuda.max_memory_reserved(device), torch.cuda.get_device_properties(device).total_memory
