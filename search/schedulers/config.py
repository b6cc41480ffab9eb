"""SchedulerConfig: when a trial of a sweep is paused or stopped before its last epoch."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from data_prep.validation import FrozenModel
from search.samplers.keys import START


class SchedulerConfig(FrozenModel):
    """When a trial is paused or stopped before its last epoch."""

    model_config = ConfigDict(allow_inf_nan=False)

    type: Literal["asha", "pasha", "asha_stop", "median", "none"] = "asha"
    """``asha`` pauses trials at rungs and promotes the best of each; ``pasha`` does, and lets trials go further only
    while their ranking still changes; ``asha_stop`` is Ray's, which stops what is not among the best; ``median`` stops
    what is worse than the median; ``none`` trains every trial to its last epoch."""
    grace_period: int | None = Field(default=None, ge=1)
    """Epochs that every trial gets, the first rung; None takes a fifth of the epochs."""
    reduction_factor: float = Field(default=3.0, gt=1)
    """At each rung the best 1 / ``reduction_factor`` go on; rungs lie this factor apart. Not for ``median``."""
    ranking_epsilon: float | None = Field(default=None, ge=0)
    """``pasha`` alone: trials whose values differ by no more may change places; 0 compares plain rankings, None
    estimates it from trials that overtake each other to and fro."""
    finish_best: bool = True
    """``asha`` alone: whether the best trial is trained to its last epoch at the end of a sweep in which none was, but
    those that are spared the rungs."""
    finish_start: bool = True
    """``asha`` alone: whether trial 0 is trained to its last epoch whatever it is worth at the rungs, so that a sweep
    always knows what it has to beat."""
    min_samples: int = Field(default=3, ge=1)
    """``median`` alone: so many other trials must have reached an epoch before a trial is stopped there."""

    @property
    def spared(self) -> tuple[int, ...]:
        """The trials that are judged at no rung."""
        return (START,) if self.finish_start and self.type == "asha" else ()

    def first_rung(self, epochs: int) -> int:
        """The grace period in epochs for trainings of ``epochs`` epochs."""
        return self.grace_period or max(1, round(epochs / 5))
