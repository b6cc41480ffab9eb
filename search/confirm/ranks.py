"""Rank correlations: how far an earlier, cheaper value put hyps in the order of the later one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState
from scipy import stats

from search.best import curve
from search.known.marks import is_result

LOW = 0.5
"""A correlation below this gets a warning."""
_FEWEST = 3
"""Of fewer pairs than this none is worked out: two are always 1 or -1."""


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation between two values of the same hyps.

    Attributes:
        early, late:
            What is compared, in words.
        n:
            Over how many hyps.
        rho:
            The correlation, in [-1, 1]; None where there are fewer than three, or all values of one kind are equal.
    """

    early: str
    late: str
    n: int
    rho: float | None

    @property
    def is_low(self) -> bool:
        """Whether it is below :data:`LOW`."""
        return self.rho is not None and self.rho < LOW

    def __str__(self) -> str:
        if self.rho is None:
            return f"rank correlation {self.early} -> {self.late}: unknown (n = {self.n})"
        warning = f"; below {LOW:g}: the earlier value says little about the later one" if self.is_low else ""
        return f"rank correlation {self.early} -> {self.late}: {self.rho:.2f} (n = {self.n}){warning}"


def correlation(early: str, late: str, pairs: Sequence[tuple[float, float]]) -> RankCorrelation:
    """Spearman's correlation of pairs of an early and a late value; equal values share their mean rank."""
    rho = math.nan
    if len(pairs) >= _FEWEST and all(len(set(values)) > 1 for values in zip(*pairs, strict=True)):
        rho = float(stats.spearmanr([a for a, _ in pairs], [b for _, b in pairs]).statistic)
    return RankCorrelation(early, late, len(pairs), None if math.isnan(rho) else rho)


def rung_to_final(study: optuna.Study) -> tuple[RankCorrelation, ...]:
    """For each rung the correlation of the value there with the last epoch's, over the sweep's trials that reached it.

    Rungs are the epochs at which PRUNED trials ended. Only trials that were trained to their end tell, and these the
    rungs have chosen: over all hyps the correlation is higher.
    """
    trials = [t for t in study.get_trials(deepcopy=False) if not is_result(t)]
    full = [dict(curve(t)) for t in trials if t.state == TrialState.COMPLETE and curve(t)]
    last = max((max(values) for values in full), default=0)
    ended = {max(curve(t)) for t in trials if t.state == TrialState.PRUNED and curve(t)}
    return tuple(
        correlation(f"epoch {rung}", f"epoch {last}", [(v[rung], v[last]) for v in full if {rung, last} <= v.keys()])
        for rung in sorted(ended)
        if rung < last
    )


def sweep_to_confirmed(
    swept: Mapping[int, float], confirmed: Mapping[int, float], early: str, late: str
) -> RankCorrelation:
    """The correlation of the value in the sweep with the confirmed mean, over candidates and default.

    Args:
        swept:
            Value of the sweep by trial.
        confirmed:
            Mean over the seeds by trial; those that diverged are missing.
        early:
            What the one is, in words.
        late:
            What the other is.
    """
    return correlation(early, late, [(swept[t], confirmed[t]) for t in confirmed if t in swept])
