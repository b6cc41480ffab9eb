"""This product's samplers and rungs on an Optuna study in memory, with every choice open."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from benchmarks.searchers.simulate import Book, Hyp
from benchmarks.searchers.space import EPOCHS, distributions
from search.samplers.keys import PAUSED_KEY
from search.schedulers.rungs import Decision, Rungs, rung_levels
from trainable.failures import DIVERGED, FAILURE_KIND

View = Literal["running", "pruned"]
Ending = Literal["pause", "stop", "none"]


class ViewStorage(InMemoryStorage):
    """Shows paused trials to samplers as PRUNED at their latest state, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.paused: set[int] = set()

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,  # noqa: ARG002 - nothing here changes a trial
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        trials = super().get_all_trials(study_id, deepcopy=False)
        shown = [_as_pruned(trial) if trial.number in self.paused else trial for trial in trials]
        return [trial for trial in shown if states is None or trial.state in states]


def _as_pruned(trial: FrozenTrial) -> FrozenTrial:
    copy = FrozenTrial.__new__(FrozenTrial)
    copy.__dict__.update(trial.__dict__)
    copy.state = TrialState.PRUNED
    copy.value = trial.intermediate_values[max(trial.intermediate_values)]
    return copy


@dataclass(frozen=True)
class Options:
    """What a variant is."""

    sampler: Callable[[int, Hyp], BaseSampler]
    """Builds the sampler from a seed and the hyp that the search starts from."""
    ending: Ending = "pause"
    """At a rung: wait for promotion, end for good (asynchronously, the first always goes on), or no rungs at all."""
    view: View = "pruned"
    """What samplers see of paused trials."""
    told: Literal["pruned", "complete"] = "pruned"
    """What stopped trials are told as."""
    grace_period: int = 2
    reduction_factor: float = 3
    start: bool = True
    """Whether trial 0 is the start."""
    finish_start: bool = False
    """Whether trial 0 is trained to its last epoch whatever it is worth at the rungs."""


class Ours:
    """A study, a sampler and rungs, as the product puts them together; decisions come from the product's own code."""

    def __init__(self, options: Options, start: Hyp, seed: int) -> None:
        self._options, self._book = options, Book()
        self._storage = ViewStorage()
        self._study = optuna.create_study(
            storage=self._storage, direction="maximize", sampler=options.sampler(seed, start)
        )
        self._space = distributions()
        if options.start:
            self._study.enqueue_trial(dict(start))
        levels = rung_levels(EPOCHS, options.grace_period, options.reduction_factor)
        self._rungs = Rungs(levels if options.ending == "pause" else (), options.reduction_factor)
        self._levels = levels if options.ending == "stop" else ()
        self._seen: dict[int, list[float]] = {level: [] for level in levels}
        self._trials: dict[int, optuna.Trial] = {}

    def next(self) -> tuple[int, Hyp] | None:
        if (number := self._rungs.promotable()) is not None:
            self._rungs.promote(number)
            self._storage.paused.discard(number)
            self._trials[number].set_user_attr(PAUSED_KEY, None)
            return number, self._book.hyps[number]
        trial = self._study.ask(self._space)
        self._trials[trial.number] = trial
        return self._book.add(trial.params), trial.params

    def report(self, number: int, epoch: int, value: float) -> bool:
        self._book.note(number, value)
        if not math.isfinite(value):
            self._rungs.close(number)
            self._trials[number].set_user_attr(FAILURE_KIND, DIVERGED)
            self._study.tell(self._trials.pop(number), state=TrialState.FAIL)
            return False
        self._trials[number].report(value, epoch)
        if epoch == EPOCHS:
            self._study.tell(self._trials.pop(number), value)
            return False
        decision = self._rungs.record(number, epoch, value)
        if decision is Decision.WAIT and number == 0 and self._options.finish_start:
            self._rungs.promote(number)
            decision = Decision.GO_ON
        if decision is Decision.WAIT:
            self._trials[number].set_user_attr(PAUSED_KEY, epoch)
            if self._options.view == "pruned":
                self._storage.paused.add(number)
        if epoch in self._levels and self._is_stopped(epoch, value):
            told = None if self._options.told == "pruned" else value
            state = TrialState.PRUNED if told is None else TrialState.COMPLETE
            self._study.tell(self._trials.pop(number), told, state=state)
            return False
        return decision is Decision.GO_ON

    def pick(self) -> Hyp | None:
        return self._book.pick()

    def _is_stopped(self, epoch: int, value: float) -> bool:
        """Ray's rule: below the cut of what was seen at the rung before."""
        seen, share = self._seen[epoch], 1 - 1 / self._options.reduction_factor
        cut = float(np.percentile(seen, 100 * share)) if seen else -math.inf
        seen.append(value)
        return value < cut
