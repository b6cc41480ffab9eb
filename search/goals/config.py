"""What a sweep aims at, and what its configurations must keep to."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from data_prep.validation import FrozenModel


class Objective(FrozenModel):
    """One of several goals."""

    metric: str = Field(min_length=1)
    """Any value that an epoch reports, or a cost of the model: ``weights_megabytes``, ``gflops``, ``latency_ms``."""
    mode: Literal["max", "min"]
    """Whether more or less of it is better."""

    @property
    def sign(self) -> float:
        """What a value is multiplied by to be a loss, of which less is better."""
        return -1.0 if self.mode == "max" else 1.0

    def __str__(self) -> str:
        return f"{self.metric} ({self.mode})"


class Limit(FrozenModel):
    """Between which bounds a cost must lie; both are included."""

    model_config = ConfigDict(allow_inf_nan=False)

    min: float | None = Field(default=None, ge=0)
    """The least that is allowed; None has no such bound."""
    max: float | None = Field(default=None, ge=0)
    """The most that is allowed; None has no such bound."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("it has no bound: give `max`, `min` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is {self.min:g} and max only {self.max:g}: change one of them")
        return self

    def excess(self, value: float) -> float:
        """By how much a value is outside; 0 or less inside."""
        over = [] if self.max is None else [value - self.max]
        under = [] if self.min is None else [self.min - value]
        return max(over + under)

    def __str__(self) -> str:
        parts = ((self.min, "at least"), (self.max, "at most"))
        return " and ".join(f"{word} {bound:g}" for bound, word in parts if bound is not None)


class ConstraintsConfig(FrozenModel):
    """Limits of what a configuration costs, known before its training; what breaks one is never trained."""

    weights_megabytes: Limit | None = None
    """Size of the stripped fp16 weights in 10^6 bytes."""
    gflops: Limit | None = None
    """Floating-point operations of one square picture of the image size, in 10^9."""

    def limits(self) -> dict[str, Limit]:
        """The limits that are set, by the name of the cost."""
        return {name: limit for name in type(self).model_fields if (limit := getattr(self, name)) is not None}
