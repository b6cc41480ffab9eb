"""BudgetConfig: the part `budget` of a sweep's YAML."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from data_prep.validation import FrozenModel


class _Frozen(FrozenModel):
    model_config = ConfigDict(allow_inf_nan=False)


class PlateauConfig(_Frozen):
    """When a sweep no longer gets anywhere."""

    trials: int = Field(ge=1)
    """So many trials that ended, one after the other, without a new best COMPLETE one end the sweep."""
    min_delta: float = Field(default=0.0, ge=0)
    """A value counts as a new best if it beats the last one by more than this."""


class BudgetConfig(_Frozen):
    """What a sweep may spend and when it has what it wants; the first that is reached ends it.

    The number of trials is a budget, too; it has always been the sweep's own key ``trials``.
    """

    epochs: int | None = Field(default=None, ge=1)
    """Epochs trained by all trials together, repeated ones included."""
    hours: float | None = Field(default=None, gt=0)
    """Wall-clock hours that drivers may run trials, summed over resumes."""
    gpu_hours: float | None = Field(default=None, gt=0)
    """Hours of training times ``resources.gpus``, summed over trials."""
    target: float | None = None
    """The sweep ends when a COMPLETE trial has this value of the metric or a better one."""
    plateau: PlateauConfig | None = None
    """The sweep ends when so many trials have brought no new best."""

    @model_validator(mode="before")
    @classmethod
    def _name_the_place_of_trials(cls, values: Any) -> Any:  # noqa: ANN401  whatever the YAML holds
        if isinstance(values, dict) and "trials" in values:
            raise ValueError("`trials` is no budget of its own: it stands at the top of the sweep's YAML")
        return values

    @property
    def names(self) -> tuple[str, ...]:
        """The budgets that are set."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)
