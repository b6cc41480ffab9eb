"""Seeded damage to files, and how much memory reading them takes at most."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, insert, remove, or overwrite a part; at least one byte is another."""
    result = bytearray(content)
    kind, at = rng.randrange(6), rng.randrange(len(content))
    if kind == 0:
        del result[at:]
    elif kind == 1:
        for _ in range(rng.randrange(1, 8)):
            result[rng.randrange(len(result))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        result[at:at] = rng.randbytes(rng.randrange(1, 40))
    elif kind == 3:
        del result[at : at + rng.randrange(1, 60)]
    elif kind == 4:  # fields of sizes and offsets love these
        result[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"])
    else:  # a download that was reserved in full and never finished
        result[at:] = bytes(len(result) - at)
    return bytes(result)


class Peak:
    """Memory that a block took at most, in bytes above what was there before."""

    taken = 0


@contextmanager
def peak_memory() -> Iterator[Peak]:
    peak = Peak()
    Path("/proc/self/clear_refs").write_text("5")  # forgets the process's former peak; proc(5)
    before = _status("VmHWM")
    yield peak
    peak.taken = _status("VmHWM") - before


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)
