"""What a scheduler is told of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from search.goals.config import Objective


@dataclass(frozen=True)
class Plan:
    epochs: int = 9
    metric: str = "fitness"
    mode: Literal["max", "min"] = "max"
    objectives: tuple[Objective, ...] = ()
