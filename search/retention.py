"""Which checkpoints of a sweep are kept: the rule alone; :mod:`search.keeper` acts on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from optuna.trial import FrozenTrial, TrialState


@dataclass(frozen=True)
class Standing:
    """What the rule knows of a trial.

    Attributes:
        number:
            Its number in the study.
        state:
            Its state in the study.
        epoch:
            The last epoch that it has reached, 0 before the first.
        value:
            The metric at that epoch, None before the first.
        paused:
            Whether a scheduler holds it back at a rung.
    """

    number: int
    state: TrialState
    epoch: int
    value: float | None
    paused: bool = False


@dataclass(frozen=True)
class RetentionRule:
    """How many checkpoints stay.

    Attributes:
        mode:
            Whether more (``max``) or less (``min``) of the metric is better.
        keep_best:
            So many of the trials that have ended; None keeps all.
        max_paused:
            So many of those that are paused; None keeps all.
    """

    mode: Literal["max", "min"] = "max"
    keep_best: int | None = 1
    max_paused: int | None = None

    def kept(self, trials: Iterable[Standing]) -> frozenset[int]:
        """The numbers of the trials whose newest checkpoint stays.

        Trials that run, or wait for a resume, always keep theirs. Ended ones (COMPLETE and PRUNED) and paused ones are
        ranked each among themselves: first by the epoch that they have reached, because a value after more epochs is
        another quantity, and because a trial that was promoted further has outdone those it left behind and costs more
        to repeat; among equals by the value at that epoch; then the earlier trial. The first of the ended ones is the
        sweep's best trial (:func:`search.results.best_trial`). FAIL keeps none.
        """
        trials = list(trials)
        live = {t.number for t in trials if not t.state.is_finished() and not t.paused}
        ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        paused = [t for t in trials if t.paused and not t.state.is_finished()]
        return frozenset(live | self._best(ended, self.keep_best) | self._best(paused, self.max_paused))

    def _best(self, trials: Iterable[Standing], count: int | None) -> set[int]:
        sign = -1 if self.mode == "max" else 1
        reached = [(-t.epoch, sign * t.value, t.number) for t in trials if t.value is not None]
        return {number for _, _, number in sorted(reached)[:count]}


def standing(trial: FrozenTrial, *, paused: bool = False) -> Standing:
    """How a trial of the study stands."""
    epoch = max(trial.intermediate_values, default=0)
    return Standing(trial.number, trial.state, epoch, trial.intermediate_values.get(epoch), paused)
