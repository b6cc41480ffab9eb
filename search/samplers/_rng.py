"""Random streams that depend on numbers alone: what a resumed sweep needs to repeat itself."""

from __future__ import annotations

import zlib

import numpy as np
from optuna.trial import FrozenTrial

from data_prep.errors import InputError
from search.samplers.keys import STREAM_KEY


def base_seed(seed: int | None) -> int:
    """Return ``seed``, or a fresh one from the operating system where none is given.

    Raises:
        InputError: The seed is negative.
    """
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if seed < 0:
        raise InputError(f"The seed {seed} is negative: give a whole number from 0 up.")
    return int(seed)


def generator(seed: int, *keys: int | str) -> np.random.Generator:
    """Return the stream that belongs to ``(seed, *keys)``, the same in every process.

    Texts enter by their CRC-32, because Python's own ``hash`` of a text differs from process to process.
    """
    return np.random.default_rng([seed, *(_number(key) for key in keys)])


def trial_keys(trial: FrozenTrial) -> tuple[int | str, ...]:
    """Return what tells a trial's numbers from those of all others: its number and the driver that draws it.

    Two drivers on one study may draw a trial of the same number at the same moment.
    """
    stream = int(trial.system_attrs.get(STREAM_KEY, 0))
    return (trial.number, STREAM_KEY, stream) if stream else (trial.number,)


def derived_seed(seed: int, *keys: int | str) -> int:
    """Return a 32-bit seed that belongs to ``(seed, *keys)``, for samplers that take nothing longer."""
    return int(generator(seed, *keys).integers(2**32))


def _number(key: int | str) -> int:
    return zlib.crc32(key.encode()) if isinstance(key, str) else key
