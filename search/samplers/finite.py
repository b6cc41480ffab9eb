"""Samplers that can run out of things to suggest: a grid, an exhaustive search."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from optuna.samplers import BaseSampler
from optuna.study import Study


@runtime_checkable
class FiniteSampler(Protocol):
    """A sampler whose suggestions come to an end.

    Optuna's own ones call ``study.stop()`` then, which is an error under ask and tell. Here the portfolio asks
    beforehand, and lets the other members go on.
    """

    def exhausted(self, study: Study) -> bool:
        """Whether all that there is to suggest has been started."""
        ...


def is_exhausted(sampler: BaseSampler, study: Study) -> bool:
    """Whether ``sampler`` has nothing more to suggest; most samplers always have."""
    return isinstance(sampler, FiniteSampler) and sampler.exhausted(study)
