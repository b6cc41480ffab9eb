"""A study's trials at hand: each once, at its latest state, brought up to date by those that changed.

A study of 10,000 trials must not be read from end to end for every suggestion and every result. What is kept here is a
cache: it may be lost at any time, and is built again from the study.
"""

from __future__ import annotations

import copy
import weakref
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.journal_storage import SweepJournal
from search.samplers.keys import is_paused

PausedAs = Literal["running", "pruned"]
"""How a trial that waits at a rung is shown: as what the study says, or as one that was stopped there."""


_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class Index(Protocol):
    """Something that is kept up to date with a history."""

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:
        """Take a trial at its new state for what it was before (None: it is new)."""
        ...


class History:
    """The trials of a study, by number.

    Args:
        storage:
            Where the study lies. A :class:`~search.journal_storage.SweepJournal` names what has changed; from any other
            storage the list of trials is fetched, and only those looked at that had not finished.
        study_id:
            Which study.
        ranges:
            What is drawn from by now, where that is wider than what some trials were drawn from: samplers are shown
            all as if drawn from it, because Optuna's draw apart what differs in that.
    """

    def __init__(
        self, storage: BaseStorage, study_id: int, ranges: Mapping[str, BaseDistribution] | None = None
    ) -> None:
        self._storage = storage
        self._study_id = study_id
        self._ranges = ranges or {}
        self._changed = storage.watch() if isinstance(storage, SweepJournal) else None
        self._trials: list[FrozenTrial] = []
        self._numbers: dict[int, int] = {}
        self._open: dict[int, None] = {}
        self._states: Counter[TrialState] = Counter()
        self._indices: weakref.WeakSet[Index] = weakref.WeakSet()
        self.visited = 0
        """How many trials were looked at so far: what keeping up to date has cost."""

    @property
    def trials(self) -> Sequence[FrozenTrial]:
        """All trials in their order, as of the last :meth:`refresh`; not to be changed."""
        return self._trials

    def of(self, storage: BaseStorage, study_id: int) -> bool:
        """Whether this is the history of that study."""
        return storage is self._storage and study_id == self._study_id

    def count(self, state: TrialState) -> int:
        """How many trials are in a state."""
        return self._states[state]

    def of_states(self, states: Container[TrialState] | None) -> Sequence[FrozenTrial]:
        """The trials in some states (None: in any), in their order; those that have not ended are at hand."""
        if states is None:
            return self._trials
        if not any(self._states[state] for state in TrialState if state in states):
            return []
        if not any(state in states for state in _ENDED):
            return [trial for number in sorted(self._open) if (trial := self._trials[number]).state in states]
        return [trial for trial in self._trials if trial.state in states]

    def trial(self, number: int) -> FrozenTrial:
        """One trial as the study has it now; a database is asked for that one alone."""
        if self._changed is None and number < len(self._trials):
            self._take(self._storage.get_trial(self.trial_id(number)))
        else:
            self.refresh()
        return self._trials[number]

    def trial_id(self, number: int) -> int:
        """A trial's id in the storage, which never changes."""
        if number >= len(self._trials):
            self.refresh()
        return self._trials[number]._trial_id  # noqa: SLF001  Optuna names it nowhere else

    def attach(self, index: Index) -> None:
        """Fill an index and keep it up to date for as long as somebody holds it."""
        for trial in self._trials:
            index.replace(None, trial)
        self._indices.add(index)

    def refresh(self) -> None:
        """Take over what has changed in the study since."""
        for trial in self._news():  # one at a time: what is named next may depend on it
            self._take(trial)

    def _news(self) -> Iterable[FrozenTrial]:
        if self._changed is None or not self._trials:
            trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
            if self._changed is not None:
                self._changed.take()
            return (trials[number] for number in (*sorted(self._open), *range(len(self._trials), len(trials))))
        return self._named()

    def _named(self) -> Iterable[FrozenTrial]:
        """What a journal names: new trials by their numbers, which have no gap, and changed ones by their ids."""
        changed = self._changed.take() if self._changed is not None else []
        number = len(self._trials)
        while True:
            try:
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
            except KeyError:
                break
            yield self._storage.get_trial(trial_id)
            number += 1
        changed += self._changed.take() if self._changed is not None else []
        for trial_id in dict.fromkeys(changed):
            if trial_id in self._numbers:  # else of another study in this journal, or one that came just now
                yield self._storage.get_trial(trial_id)

    def _take(self, trial: FrozenTrial) -> None:
        self.visited += 1
        trial = in_ranges(trial, self._ranges)
        known = trial.number < len(self._trials)
        old = self._trials[trial.number] if known else None
        if old is trial:
            return
        if old is None:
            self._trials.append(trial)
            self._numbers[trial._trial_id] = trial.number  # noqa: SLF001  Optuna names it nowhere else
        else:
            self._trials[trial.number] = trial
            self._states[old.state] -= 1
        self._states[trial.state] += 1
        if trial.state.is_finished():
            self._open.pop(trial.number, None)
        else:
            self._open[trial.number] = None
        for index in self._indices:
            index.replace(old, trial)


def in_ranges(trial: FrozenTrial, ranges: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Return a trial as if it had been drawn from these ranges, as far as it was drawn from others."""
    drawn = trial.distributions
    others = {name: ranges[name] for name, old in drawn.items() if ranges.get(name, old) != old}
    if not others:
        return trial
    seen = copy.copy(trial)
    seen.distributions = {**drawn, **others}
    return seen


def shown(trial: FrozenTrial, paused: PausedAs) -> FrozenTrial:
    """Return a trial as a member sees it: one that waits at a rung as PRUNED there, if it shall be."""
    if paused == "running" or not is_paused(trial) or trial.last_step is None:
        return trial
    stopped = copy.copy(trial)
    stopped.state = TrialState.PRUNED
    stopped.value = trial.intermediate_values[trial.last_step]
    return stopped


def history_of(study: Study, known: History | None) -> History:
    """Return the history of a study, up to date: the one that its storage keeps, the known one, or a new one."""
    # Study has no public name for its storage and its id; Optuna's own samplers take these two.
    storage, study_id = study._storage, study._study_id  # noqa: SLF001
    kept: History | None = getattr(storage, "history", None)  # of a DraftStorage, which brings it up to date
    if kept is not None:
        return kept
    history = known if known is not None and known.of(storage, study_id) else History(storage, study_id)
    history.refresh()
    return history
