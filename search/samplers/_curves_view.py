"""The view of CurveGPSampler: as much of the study as its model can take, and what diverged."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.distributions import BaseDistribution
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.samplers._bounded import BoundedView
from search.samplers._observed import diverged
from search.samplers.history import History

_DIVERGED = 30


class CurvesView(BoundedView):
    """What :class:`BoundedView` shows, with paused trials as PRUNED at their rungs, and the newest diverged ones.

    Shown as PRUNED, the trials that wait at the highest rungs count among the best, all of which are seen.

    Args:
        study:
            The study.
        bound:
            Most trials that are seen beside the diverged ones.
    """

    def __init__(self, study: Study, bound: int) -> None:
        super().__init__(study, bound, "pruned")
        self._diverged: dict[int, FrozenTrial] = {}

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:
        """Take a trial at its new state."""
        super().replace(old, new)
        if diverged(new):
            self._diverged[new.number] = new
            if len(self._diverged) > _DIVERGED:
                del self._diverged[min(self._diverged)]

    def trials(
        self, history: History, name: str | None = None, distribution: BaseDistribution | None = None
    ) -> Sequence[FrozenTrial]:
        """The best, a sample of the others, and the diverged."""
        seen = [*super().trials(history, name, distribution), *self._diverged.values()]
        return sorted(seen, key=lambda trial: trial.number)
