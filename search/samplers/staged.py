"""One stage after another: within a stage a sampler searches a group of parameters, and all others stand still."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, cast

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.samplers._genes import contains
from search.samplers.keys import STAGE_KEY
from search.samplers.stages import Stage, mark, next_stage, start_of
from trainable.failures import FAILURE_KIND


class StagedSampler(BaseSampler):
    """Fixes all parameters but those of the trial's stage, and asks that stage's sampler for the rest.

    The fixed ones stand in the trial like any other, at the values of the trial that the stage started from, so every
    trial is a whole hyp. A stage's sampler sees those trials of the study, whatever their stage, that agree with these
    values; the others are shown to it as FAIL, from which no sampler learns.

    Which stage a trial belongs to, and what that stage starts from, is decided when the trial is made, and stored with
    it (user attribute ``stage``).

    Args:
        stages: In their order, at least one.
        starts: Where the search starts, by parameter: what the first stage fixes, and what a stage fixes that its
            start lacks (other branches of a conditional space).
        make: Makes the sampler of a stage. One for each stage: some remember the space that they saw first.
        best: The best trial of a study so far, None where there is none.

    Source: Optuna's ``PartialFixedSampler``, for fixing parameters in front of any sampler.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        starts: Mapping[str, Any],
        make: Callable[[], BaseSampler],
        best: Callable[[Study], FrozenTrial | None],
    ) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._starts = dict(starts)
        self._best = best
        self._samplers = {name: make() for name in self._stages}
        self._views: dict[tuple[str, int | None], _Agreeing] = {}

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Decide and store the stage of a new trial, then let its sampler prepare itself."""
        if STAGE_KEY not in trial.user_attrs:
            chosen = self._mark(study, trial)
            # As in PortfolioSampler.before_trial: no Trial exists yet that could be told.
            study._storage.set_trial_user_attr(trial._trial_id, STAGE_KEY, chosen)  # noqa: SLF001
            trial.user_attrs[STAGE_KEY] = chosen
        self._sampler(trial).before_trial(self._seen(study, trial), trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ask the stage's sampler, and leave out what is fixed."""
        space = self._sampler(trial).infer_relative_search_space(self._seen(study, trial), trial)
        held = self._view(study, trial).held
        return {name: distribution for name, distribution in space.items() if name not in held}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask the stage's sampler."""
        return self._sampler(trial).sample_relative(self._seen(study, trial), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Return what is fixed, or ask the stage's sampler."""
        held = self._view(study, trial).held
        if param_name in held and contains(param_distribution, held[param_name]):
            return held[param_name]
        seen = self._seen(study, trial)
        return self._sampler(trial).sample_independent(seen, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell the stage's sampler how its trial ended."""
        self._sampler(trial).after_trial(self._seen(study, trial), trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed the samplers of all stages."""
        for sampler in self._samplers.values():
            sampler.reseed_rng()

    def _mark(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        trials = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        stage = next_stage(tuple(self._stages.values()), trials)
        begun = start_of(stage, trials)
        if begun is not None:
            return begun
        best = self._best(study) if any(STAGE_KEY in t.user_attrs for t in trials) else None
        return mark(stage, None if best is None else best.number)

    def _sampler(self, trial: FrozenTrial) -> BaseSampler:
        return self._samplers[self._stage(trial).name]

    def _stage(self, trial: FrozenTrial) -> Stage:
        """The stage of a trial; one that was taken out of the configuration goes on as the last."""
        name = trial.user_attrs.get(STAGE_KEY, {}).get("name")
        return self._stages.get(name, list(self._stages.values())[-1])

    def _seen(self, study: Study, trial: FrozenTrial) -> Study:
        """The study as the sampler of the trial's stage shall see it."""
        return _View(study, self._view(study, trial))

    def _view(self, study: Study, trial: FrozenTrial) -> _Agreeing:
        stage, start = self._stage(trial), trial.user_attrs.get(STAGE_KEY, {}).get("start")
        storage = study._storage  # noqa: SLF001 - what a view of a study is made of
        view = self._views.get((stage.name, start))
        if view is None or not view.shows(storage):
            reached = {} if start is None else study.get_trials(deepcopy=False)[start].params
            values = {**self._starts, **reached}
            held = {name: value for name, value in values.items() if name not in stage.searched}
            view = self._views[stage.name, start] = _Agreeing(storage, held)
        return view

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_views": {}}  # caches


class _View(Study):
    """A study behind another storage, as Optuna's ``_FilteredStudy`` is one with another list of trials."""

    def __init__(self, study: Study, storage: _Agreeing) -> None:
        self.__dict__.update(study.__dict__)  # the constructor would ask the storage for what `study` knows
        self._storage = cast("BaseStorage", storage)
        self._thread_local = type(study._thread_local)()  # noqa: SLF001 - it caches the trials of the whole study


class _Agreeing:
    """A storage that shows the trials which have other values than given ones as FAIL; all else is the storage's own.

    They keep their places: in a list of trials the number is the index.

    Attributes:
        held:
            The values, by parameter.
    """

    def __init__(self, storage: BaseStorage, held: Mapping[str, Any]) -> None:
        self._storage = storage
        self.held = dict(held)
        self._known: dict[int, FrozenTrial] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the storage has under that name
        # Only what every storage has: what one keeps beside, such as a cache of its trials, would show all of them.
        if not hasattr(BaseStorage, name):
            raise AttributeError(name)
        return getattr(self._storage, name)

    def shows(self, storage: BaseStorage) -> bool:
        """Whether this is a view of that storage."""
        return storage is self._storage

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return all trials in some states (None: in any), as they are shown here."""
        with self._lock:
            trials = [self._shown(trial) for trial in self._storage.get_all_trials(study_id, deepcopy=False)]
        trials = [trial for trial in trials if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def _shown(self, trial: FrozenTrial) -> FrozenTrial:
        """The trial itself, or a copy that failed; looked at once when it has ended."""
        if not trial.state.is_finished():
            return trial if self._agrees(trial) else _failed(trial)
        if trial.number not in self._known:
            self._known[trial.number] = trial if self._agrees(trial) else _failed(trial)
        return self._known[trial.number]

    def _agrees(self, trial: FrozenTrial) -> bool:
        return all(value == self.held[name] for name, value in trial.params.items() if name in self.held)


def _failed(trial: FrozenTrial) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.state, shown.values = TrialState.FAIL, None
    if FAILURE_KIND in trial.user_attrs:  # what diverged elsewhere says nothing of where this stage starts
        shown.user_attrs = {name: value for name, value in trial.user_attrs.items() if name != FAILURE_KIND}
    return shown
