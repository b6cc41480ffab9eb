"""What a member of the portfolio is shown of a study, so that a suggestion costs the same after 10,000 trials.

Optuna's samplers read their study through ``get_trials``. :class:`StudyView` is a study that answers with chosen
trials; a :class:`View` chooses them; :class:`ViewSampler` puts the one before the other. A view is a cache of the study
and holds nothing that is not in it.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Container, Sequence
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.samplers.history import History, Index, history_of


class StudyView(Study):
    """A study of which only some trials are seen; whatever is written goes to the study itself.

    As in Optuna's own ``_FilteredStudy`` (``pruners/_hyperband.py``), ``get_trials`` and ``_get_trials`` are what
    samplers read; the second takes a cache that is of no use here.

    Args:
        study:
            The study.
        trials:
            What is seen of it, in the order of their numbers.
    """

    def __init__(self, study: Study, trials: Sequence[FrozenTrial]) -> None:
        self.__dict__.update(study.__dict__)  # the constructor would ask the storage for what `study` knows
        self._seen = trials

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """Return what is seen."""
        return self._get_trials(deepcopy, states)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,  # noqa: ARG002  Optuna's own signature
    ) -> list[FrozenTrial]:
        trials = [trial for trial in self._seen if states is None or trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials


class View(Index, Protocol):
    """Chooses what is seen of the history that it is kept up to date with."""

    def spaces(self, history: History) -> Sequence[FrozenTrial]:
        """Choose what the space of the next trial is inferred from."""
        ...

    def trials(
        self, history: History, name: str | None, distribution: BaseDistribution | None
    ) -> Sequence[FrozenTrial]:
        """Choose what values are drawn from: of all parameters, or of one alone where it is named."""
        ...


class MakeView(Protocol):
    """Makes an empty view for a study; picklable, if the sampler is to be."""

    def __call__(self, study: Study) -> View:
        """Make the view."""
        ...


class SharedView:
    """A view and the history behind it, made when a study is first seen and made anew for another study.

    Args:
        make:
            Makes the view.
    """

    def __init__(self, make: MakeView) -> None:
        self._make = make
        self._history: History | None = None
        self._view: View | None = None
        self._lock = threading.Lock()  # `optimize(n_jobs=...)` asks from several threads

    def space(self, study: Study) -> Study:
        """The study for the inference of its space."""
        if _is_filtered(study):
            return study
        with self._lock:
            view, history = self._current(study)
            return StudyView(study, view.spaces(history))

    def sample(self, study: Study, name: str | None = None, distribution: BaseDistribution | None = None) -> Study:
        """The study for drawing values."""
        if _is_filtered(study):
            return study
        with self._lock:
            view, history = self._current(study)
            return StudyView(study, view.trials(history, name, distribution))

    def _current(self, study: Study) -> tuple[View, History]:
        history = history_of(study, self._history)
        if self._view is None or history is not self._history:
            self._view = self._make(study)
            history.attach(self._view)
            self._history = history
        return self._view, history

    def __getstate__(self) -> dict[str, Any]:
        return {"_make": self._make}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["_make"])  # type: ignore[misc]  # what it has seen is read anew from the study


def _is_filtered(study: Study) -> bool:
    """Whether somebody else chose what is seen of a study, as Hyperband's pruner does: then that stands.

    A study before another storage, such as that of a stage, is seen through its storage.
    """
    return type(study).get_trials is not Study.get_trials


class ViewSampler(BaseSampler):
    """Shows a sampler less than the whole study.

    Args:
        sampler:
            Any Optuna sampler that reads its study through ``get_trials``.
        view:
            What it is shown.

    Source: the pattern of Optuna's ``PartialFixedSampler``, a sampler that forwards every hook.
    """

    def __init__(self, sampler: BaseSampler, view: SharedView) -> None:
        self._sampler = sampler
        self._view = view

    def __str__(self) -> str:
        return str(self._sampler)

    @property
    def sampler(self) -> BaseSampler:
        """The sampler behind the view."""
        return self._sampler

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Let it prepare itself."""
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ask it."""
        return self._sampler.infer_relative_search_space(self._view.space(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask it."""
        return self._sampler.sample_relative(self._view.sample(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401 - Optuna's own signature
        """Ask it."""
        seen = self._view.sample(study, param_name, param_distribution)
        return self._sampler.sample_independent(seen, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell it how its trial ended."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Reseed it."""
        self._sampler.reseed_rng()
