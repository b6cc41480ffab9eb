"""What an import did, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.known.use import As


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of one source."""

    source: str
    """File, folder or URL."""
    as_: As
    """What its configs were taken as."""
    known: int
    """How many configs it holds that can be used."""
    trials: tuple[int, ...]
    """Numbers of the trials in the study, the best first where the source ranks them."""
    earlier: int
    """How many of them an earlier import had brought in."""
    duplicates: int
    """How many were passed over because the study has them already."""
    near: int
    """How many were passed over as near-copies of a better one, or of a trial of the study."""
    left_out: tuple[str, ...]
    """What was left out for other reasons, in words."""
    other: tuple[str, ...]
    """What is not searched here and had other values there: the configs get the sweep's own."""
    filled: tuple[str, ...]
    """What is searched here and not stated there: the configs get the base's values."""
    clipped: tuple[str, ...]
    """What was moved to a bound, in words."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}
        return {**values, "as": str(values.pop("as_"))}

    def lines(self) -> list[str]:
        """As lines for people."""
        what = "waiting to be tried" if self.as_ == As.ENQUEUE else "as finished trials"
        numbers = ", ".join(map(str, self.trials)) or "none"
        told = [f"{self.source}: {len(self.trials)} of {self.known} configs, {what} (trials {numbers})"]
        reasons = {
            "imported before": self.earlier,
            "passed over, the study has them": self.duplicates,
            "passed over as near-copies": self.near,
        }
        told += [f"  {count} {reason}" for reason, count in reasons.items() if count]
        told += [f"  left out: {reason}" for reason in self.left_out]
        if self.other:
            told.append(f"  not searched here, so the sweep's own value instead of theirs: {', '.join(self.other)}")
        if self.filled:
            told.append(f"  not stated there, so the base's value: {', '.join(self.filled)}")
        return told + [f"  moved to the bound: {each}" for each in self.clipped]


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import did."""

    run_dir: Path
    """The sweep's folder."""
    sources: tuple[Imported, ...]
    """What became of each source."""
    waiting: int
    """How many trials wait to be started."""
    lacking: int
    """How many of them lie beyond the planned number of trials: they start only if that is raised."""

    @property
    def next_command(self) -> str:
        """What starts the trials that wait."""
        return f"hypsweep resume {self.run_dir}" + (f" --trials {self.lacking}" if self.lacking else "")

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "run_dir": str(self.run_dir),
            "sources": [each.as_dict() for each in self.sources],
            "waiting": self.waiting,
            "lacking": self.lacking,
            "next": self.next_command,
        }
