"""What every reader gives: configs with what is known of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class KnownTrial:
    """One config that was tried somewhere, or that somebody wrote down."""

    params: Mapping[str, Any]
    """Hyps and training settings by name, as far as the source states them."""
    label: str
    """Where it stands, for messages: the source, and the row or trial."""
    value: float | None = None
    """The source's own figure of merit after its last epoch; None where nothing was measured."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What its last epoch reported, under the names that an epoch reports here."""
    epochs: int | None = None
    """How many epochs it was trained; None where the source does not say."""
    finished: bool = True
    """Whether it ran to the end of its schedule."""
    curve: Mapping[int, float] = field(default_factory=dict)
    """The figure of merit by epoch, where the source kept it."""


@dataclass(frozen=True, kw_only=True)
class KnownSource:
    """What one reader found."""

    name: str
    """The file, folder or URL, for messages."""
    trials: tuple[KnownTrial, ...]
    """The configs in the source's own order."""
    maximize: bool = True
    """Whether more of ``value`` is better."""
    identity: Mapping[str, Any] | None = None
    """What the values belong to (data, metric, epochs and so on; see :mod:`search.identity`); None: unknown."""
    key: str | None = None
    """The key of a sweep's study, which no two share."""
    left_out: tuple[str, ...] = ()
    """What was not taken, and why."""

    @property
    def ranked(self) -> bool:
        """Whether its configs can be ranked: something was measured."""
        return any(trial.value is not None for trial in self.trials)

    @property
    def digest(self) -> str:
        """SHA-256 of what is known, wherever it lies."""
        known = [[dict(t.params), t.value, dict(t.metrics), t.epochs, t.finished] for t in self.trials]
        return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
