"""How many trials share a GPU: the arithmetic of what was measured, and its words for the user."""

from __future__ import annotations

import math

CONTEXT_BYTES = 2**29
"""What a process occupies on a GPU beside its tensors: the CUDA context and the kernels that it loads."""
SLACK = 0.05
"""Share of the peak that the next epoch may need more: other pictures, a fragmented cache of the allocator."""
_FRACTIONS = 10_000  # Ray counts resources in ten-thousandths
_GIB = 2**30


def trials_per_gpu(peak: int, total: int) -> int:
    """How many trials fit on a GPU at a time.

    Each takes its peak, :data:`SLACK` of it on top, and :data:`CONTEXT_BYTES`, which PyTorch's counters leave out
    because the driver and not PyTorch's allocator holds them: about 0.5 GiB on current GPUs.

    Args:
        peak:
            Largest GPU memory of one trial in bytes.
        total:
            Memory of the GPU in bytes.

    Returns:
        At least 1: the trial that was measured did fit.
    """
    return max(int(total // (peak * (1 + SLACK) + CONTEXT_BYTES)), 1)


def gpu_fraction(trials: int) -> float:
    """The value of ``resources.gpus`` that lets so many trials share a GPU, and no more.

    Ray counts in ten-thousandths, so 1/n is rounded down to four digits; no further trial fits into what is left.
    """
    return math.floor(_FRACTIONS / trials) / _FRACTIONS


def sharing(gpus: float) -> int:
    """How many trials Ray puts on a GPU where each asks for ``gpus`` of it; whole GPUs are shared by none."""
    return _FRACTIONS // max(round(gpus * _FRACTIONS), 1) if 0 < gpus < 1 else 1


def advice(number: int, peak: int, total: int) -> str:
    """How many trials like this one fit on such a GPU."""
    fit = trials_per_gpu(peak, total)
    return (
        f"trial {number} peaks at {peak / _GIB:.1f} of {total / _GIB:.1f} GiB GPU memory: "
        f"{fit} {'trial fits' if fit == 1 else 'trials fit'} on such a GPU (resources.gpus: {gpu_fraction(fit):g})"
    )


def greed(number: int, peak: int, total: int, gpus: float) -> str | None:
    """A warning where more trials share a GPU than fit on it."""
    fit, shared = trials_per_gpu(peak, total), sharing(gpus)
    if shared <= fit:
        return None
    return (
        f"warning: resources.gpus is {gpus:g}, so that {shared} trials share a GPU of {total / _GIB:.1f} GiB, and "
        f"trial {number} alone peaks at {peak / _GIB:.1f} GiB: trials will run out of memory and go on with "
        f"smaller batches; set resources.gpus to {gpu_fraction(fit):g} in sweep.yaml and resume."
    )
