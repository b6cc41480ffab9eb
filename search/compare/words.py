"""A comparison in words and cells, for the terminal and for ``table.md`` alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.compare.result import ArmRow, ComparisonResult
from search.compare.standing import Standing

_BESIDE = "weights_sha256"
"""Stands beside ``weights`` and says nothing of its own."""
HEAD = ("arm", "MB", "seeds", "mean", "gain", "interval", "standing")


def title(found: ComparisonResult) -> str:
    """What is compared, in one line."""
    noise = "" if found.sd is None else f", sd of one training {found.sd:.2g}"
    better = "" if found.mode == "max" else " (less is better)"
    return f"{found.metric}{better} after {found.epochs} epochs{noise}"


def cells(found: ComparisonResult, row: ArmRow) -> tuple[str, ...]:
    """The cells of one arm, in the order of :data:`HEAD`."""
    gain = "" if row.gain is None else f"{row.gain:+.4f}"
    interval = "" if row.lower is None else f"{row.lower:+.4f} .. {row.upper:+.4f}"
    return (row.arm, f"{row.megabytes:.1f}", str(row.seeds), number(row.mean), gain, interval, word(found, row))


def word(found: ComparisonResult, row: ArmRow) -> str:
    """How an arm stands, in a word."""
    if is_too_large(found, row):
        return "too large"
    return "reference" if row is found.reference else str(row.standing)


def is_too_large(found: ComparisonResult, row: ArmRow) -> bool:
    """Whether an arm was not trained because of the size of its weights."""
    return row.megabytes > found.max_megabytes


def verdicts(found: ComparisonResult) -> list[str]:
    """A sentence for each arm but the reference, and what to do next."""
    lines = [_sentence(found, row) for row in found.rows[1:]]
    if found.next_command is not None:
        lines.append(f"add seeds: {found.next_command}")
    return lines


def _sentence(found: ComparisonResult, row: ArmRow) -> str:
    if is_too_large(found, row):
        return f"{row.arm} was not trained: {row.megabytes:.1f} MB are more than {found.max_megabytes:g}"
    than = {
        Standing.BETTER: "is better than",
        Standing.WORSE: "is worse than",
        Standing.SAME: f"differs by less than {found.smallest_gain:g} from",
        Standing.UNDECIDED: "cannot be told from",
        Standing.LOST: "was lost and is not compared with",
        Standing.NO_REFERENCE: "is not compared: take another reference than",
    }[row.standing or Standing.UNDECIDED]
    return f"{row.arm} {than} {found.reference.arm}"


def settings(values: Mapping[str, Any]) -> str:
    """What an arm sets, as ``name value, name value``."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items() if name != _BESIDE) or "nothing"


def duration(seconds: float) -> str:
    """Seconds as ``12 s``, ``3.4 min`` or ``1.2 h``."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "none" if value is None else str(value).rsplit("/", 1)[-1]


def number(value: float | None) -> str:
    """Four digits; nothing for None."""
    return "" if value is None else f"{value:.4f}"
