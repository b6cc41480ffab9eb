"""What a model costs to store and to run, by name; a sweep can make goals of these, and limits of the first two."""

from __future__ import annotations

WEIGHTS_MEGABYTES = "weights_megabytes"
"""Size of the stripped fp16 weights file in 10^6 bytes."""
GFLOPS = "gflops"
"""Floating-point operations of one square picture of the image size in 10^9; a multiplication and an addition are 2."""
LATENCY_MS = "latency_ms"
"""Median milliseconds of one picture through model and NMS, on the trial's device."""
LATENCY_SPREAD = "latency_ms_spread"
"""What is reported beside it: the distance between its quartiles."""

KNOWN_BEFORE = (WEIGHTS_MEGABYTES, GFLOPS)
"""Costs that a configuration tells without a training."""
COSTS = (*KNOWN_BEFORE, LATENCY_MS)
"""All of them."""
