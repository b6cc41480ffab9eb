"""SeedPlan: what is trained over the same seeds, and by what it is judged; fixed when it begins."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from search.trial_plan import TrialPlan

_SEEDS = 2**32


@dataclass(frozen=True, kw_only=True)
class SeedPlan(ABC):
    """Several configurations that are trained over the same seeds."""

    params: Mapping[int, Mapping[str, Any]]
    """What each sets, by its number; the first, 0, is what the others are compared with."""
    metric: str
    """The reported value that decides, of the last epoch."""
    mode: Literal["max", "min"]
    """Whether more or less of it is better."""
    epochs: int
    """Epochs of each training."""
    first_seed: int
    """The first seed; the others count on from it."""

    @abstractmethod
    def name(self, trial: int) -> str:
        """What one of them is called."""

    @abstractmethod
    def trial_config(self, common: TrialPlan, trial: int, place: int, checkpoint: str | None) -> dict[str, Any]:
        """The configuration that the trainable gets for one training."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""

    @classmethod
    @abstractmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What :meth:`as_dict` gave."""

    def epochs_of(self, trial: int) -> int:  # noqa: ARG002  here all have the same
        """Epochs of one of them."""
        return self.epochs

    def trial_of(self, number: int) -> int:
        """Whose training a number names; see :meth:`number`."""
        return self.trials[number % len(self.params)]

    @property
    def trials(self) -> tuple[int, ...]:
        """The numbers, 0 first."""
        return tuple(self.params)

    @property
    def sign(self) -> float:
        """What a value is multiplied by so that more is better."""
        return 1.0 if self.mode == "max" else -1.0

    def seed(self, place: int) -> int:
        """The seed of a place in the rounds."""
        return (self.first_seed + place) % _SEEDS

    def number(self, trial: int, place: int) -> int:
        """The number of a training: names its folder of checkpoints."""
        return place * len(self.params) + self.trials.index(trial)

    def without(self, *names: str) -> dict[str, Any]:
        """All fields but these, by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in names}
