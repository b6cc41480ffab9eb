"""The view of TPE: the best that it models, and a sample of the rest as large as it needs.

TPE splits what has ended into the best 10 %, 25 at most, and all else. Of the first every trial counts. The second is
only a density, in which 10,000 kernels of the smallest width say what a few hundred say.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from itertools import islice

from optuna.distributions import BaseDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.samplers._ordered import OrderedKeys
from search.samplers.history import History, PausedAs, shown

BEST = 25
"""Most trials that TPE takes for the good ones: Optuna's ``default_gamma``."""
FEWEST_ENDED = 241
"""From so many ended trials on, ``default_gamma`` is 25."""

_Key = tuple[int, float, float, int]
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def lot(number: int) -> int:
    """Return a trial's lot, by which it is in the sample or not: fixed, and unrelated to when the trial came."""
    return zlib.crc32(number.to_bytes(8, "little"))


class BoundedView:
    """The best trials, and of the others those with the lowest lots.

    Which of the others are seen is a uniform sample without replacement (bottom-k), so the old ones and the new ones,
    and those that ended and those at work, keep the shares that TPE weighs them by. It depends on numbers and states
    alone, and changes by single trials as the study grows. A study within the bound is seen whole, and so is one of
    several objectives.

    Args:
        study:
            The study.
        bound:
            Most trials that are seen.
        paused:
            How trials are seen that wait at a rung.
        fewest_ended:
            So many ended trials are seen at least, where there are as many: what the sampler calls its startup.
        order:
            The lot of a trial by its number; another one serves to measure what the choice costs.
    """

    def __init__(
        self,
        study: Study,
        bound: int,
        paused: PausedAs = "running",
        fewest_ended: int = 0,
        order: Callable[[int], int] = lot,
    ) -> None:
        self._fewest = max(fewest_ended, FEWEST_ENDED)
        self._bound = max(bound, self._fewest + BEST)
        self._paused = paused
        self._lot = order
        self._is_single = len(study.directions) == 1
        self._sign = -1.0 if study.directions[0] == StudyDirection.MAXIMIZE else 1.0
        self._seen: dict[int, FrozenTrial] = {}
        self._ranks: dict[int, _Key] = {}
        self._best = OrderedKeys()
        self._ended, self._at_work = OrderedKeys(), OrderedKeys()
        self._space_ids: dict[tuple[tuple[str, BaseDistribution], ...], int] = {}
        self._space_of: dict[int, int] = {}
        self._holders: dict[int, dict[int, None]] = {}

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:
        """Take a trial at its new state."""
        del old  # what it was is known here by its number
        trial = shown(new, self._paused)
        self._drop(trial.number)
        if trial.state in _ENDED:
            self._rank(trial)
        elif trial.state == TrialState.RUNNING:
            self._at_work.add((self._lot(trial.number), trial.number))
        else:
            return
        self._seen[trial.number] = trial

    def spaces(self, history: History) -> Sequence[FrozenTrial]:
        """One ended trial of each set of distributions: the same intersection, and the same groups, as of all."""
        del history
        numbers = sorted(next(iter(holders)) for holders in self._holders.values() if holders)
        return [self._seen[number] for number in numbers]

    def trials(
        self, history: History, name: str | None = None, distribution: BaseDistribution | None = None
    ) -> Sequence[FrozenTrial]:
        """The best, and the sample of the others."""
        del history, name, distribution
        if not self._is_single or len(self._seen) <= self._bound:
            return [self._seen[number] for number in sorted(self._seen)]
        best = {key[-1] for key in islice(self._best, BEST)}
        room = self._bound - len(best)
        ended = self._share(room, len(self._ended) - len(best))
        numbers = best.union(_lowest(self._ended, ended, best), _lowest(self._at_work, room - ended, best))
        return [self._seen[number] for number in sorted(numbers)]

    def _share(self, room: int, others: int) -> int:
        """How many of the others have ended: their share, but enough for TPE to take 25 for the best."""
        share = math.ceil(room * others / (others + len(self._at_work)))
        return min(others, max(share, room - len(self._at_work), self._fewest - BEST))

    def _rank(self, trial: FrozenTrial) -> None:
        number = trial.number
        self._ranks[number] = key = (*self._score(trial), number)
        self._best.add(key)
        self._ended.add((self._lot(number), number))
        space = tuple(sorted(trial.distributions.items()))
        space_id = self._space_of[number] = self._space_ids.setdefault(space, len(self._space_ids))
        self._holders.setdefault(space_id, {})[number] = None

    def _drop(self, number: int) -> None:
        trial = self._seen.pop(number, None)
        if trial is None:
            return
        key = (self._lot(number), number)
        if number not in self._ranks:
            self._at_work.remove(key)
            return
        self._best.remove(self._ranks.pop(number))
        self._ended.remove(key)
        del self._holders[self._space_of.pop(number)][number]

    def _score(self, trial: FrozenTrial) -> tuple[int, float, float]:
        """Return the place of an ended trial as TPE sorts them (``_split_trials`` in Optuna's sampler).

        COMPLETE ones by value, then PRUNED ones by their last step and the value there, then those that break a
        constraint by how much.
        """
        broken = sum(v for v in trial.constraints.values() if v > 0)
        if broken > 0:
            return 2, broken, 0.0
        if trial.state == TrialState.COMPLETE:
            return 0, self._sign * (trial.values[0] if trial.values else math.inf), 0.0
        if not trial.intermediate_values:
            return 1, 1.0, 0.0
        step, value = max(trial.intermediate_values.items())
        return 1, -float(step), math.inf if math.isnan(value) else self._sign * value


def _lowest(keys: OrderedKeys, count: int, but: set[int]) -> list[int]:
    """The numbers with the lowest lots."""
    found: list[int] = []
    for _, number in keys:
        if len(found) >= count:
            break
        if number not in but:
            found.append(number)
    return found
