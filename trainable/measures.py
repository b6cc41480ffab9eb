"""What a trial reports beside the metrics of its epochs because a sweep asks for it: the costs of its model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from data_prep.errors import InputError
from trainable.costs import COSTS, KNOWN_BEFORE, LATENCY_MS, LATENCY_SPREAD
from trainable.footprint import known_costs
from trainable.latency import measure_latency, on_square
from trainable.loop import EpochLoop
from trainable.parts import input_size


def add_costs(loop: EpochLoop, names: Collection[str], before: Mapping[str, Any]) -> dict[str, float]:
    """The costs of a training's model, measured once and kept in what its checkpoints say of the last epoch.

    Args:
        loop:
            A training that has finished an epoch.
        names:
            Which costs, of :data:`trainable.costs.COSTS`.
        before:
            What the epoch before it reported, costs included.

    Returns:
        The costs by name; ``latency_ms_spread`` beside ``latency_ms``. ``loop.last`` holds them afterwards.

    Raises:
        InputError: A name is unknown.
    """
    wrong = [name for name in names if name not in COSTS]
    if wrong:
        raise InputError(f"there is no cost `{wrong[0]}`: choose from {', '.join(COSTS)}.")
    found = {key: float(before[key]) for key in (*COSTS, LATENCY_SPREAD) if key in before}
    unknown = [name for name in names if name in KNOWN_BEFORE and name not in found]
    if unknown:
        found |= known_costs(loop.settings, loop.hyp, unknown)
    if LATENCY_MS in names and LATENCY_MS not in found:
        found |= _latency(loop)
    loop.last = {**loop.last, **found}
    return found


def _latency(loop: EpochLoop) -> dict[str, float]:
    parts = loop.parts
    _, size = input_size(parts.ema.ema, loop.settings.image_size)
    picture = parts.val.dataset[0][0] if parts.val is not None else None
    measured = measure_latency(parts.ema.ema, parts.precision, on_square(picture, size))
    return {LATENCY_MS: measured.median, LATENCY_SPREAD: measured.spread}
