"""Optuna's CMA-ES on trials that were stopped or are paused, too, with a state that is safe to read back."""

from __future__ import annotations

import hashlib
import io
import json
import math
import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.samplers import BaseSampler, CmaEsSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from search.samplers._genes import contains
from search.samplers._population import as_complete, final_value, sound, stands
from search.samplers.views import StudyView

if TYPE_CHECKING:
    from cmaes import CMA

_NUMPY = ("numpy._core.multiarray", "numpy.core.multiarray")
_ALLOWED = {
    ("cmaes._cma", "CMA"),
    ("cmaes._sepcma", "SepCMA"),
    ("cmaes._cmawm", "CMAwM"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((module, name) for module in _NUMPY for name in ("_reconstruct", "scalar")),
}
"""What Optuna's stored state consists of; nothing else in a study is unpickled (DESIGN.md, decision 12)."""


class RungCmaEsSampler(CmaEsSampler):
    """CMA-ES whose generations are filled by trials at whatever epoch they stand.

    Of a generation CMA-ES uses the order alone. Trials are ordered as successive halving does it: who got farther is
    better, and at the same epoch the better value is. So trials that were stopped or are paused count at once; Optuna's
    own sampler would wait for COMPLETE ones, or compare a stopped trial's value with that of a full training.

    What it learns from is its own trials: those that it drew from the distribution of the current generation. Other
    members' trials move nothing but the start (the first trial of all must have been finished). Its state is stored
    with its trials, so it survives a restart; several slots waste some trials, because a generation goes on being
    drawn from until its last result is in. Categorical parameters are drawn by ``independent_sampler``.

    Args:
        x0: Where the mean starts, by parameter; None is the middle of the space.
        sigma0: Standard deviation at the start, as a part of each parameter's range.
        popsize: Trials of a generation; None is CMA-ES's rule, 4 + 3 ln(parameters).
        seed: Seed of the draws.
        independent_sampler: Draws categorical parameters.
        options: ``n_startup_trials``, ``use_separable_cma``, ``with_margin`` and ``lr_adapt`` of Optuna's sampler.
    """

    def __init__(
        self,
        *,
        x0: Mapping[str, Any] | None,
        sigma0: float,
        popsize: int | None,
        seed: int,
        independent_sampler: BaseSampler | None = None,
        **options: Any,  # noqa: ANN401 - Optuna checks them
    ) -> None:
        super().__init__(
            x0=x0 if x0 is None else dict(x0),
            sigma0=sigma0,
            popsize=popsize,
            seed=seed,
            independent_sampler=independent_sampler,
            warn_independent_sampling=False,  # categorical parameters are drawn so, and need no warning
            consider_pruned_trials=False,  # all that it sees is COMPLETE
            source_trials=None,
            **options,
        )
        self._start = self._x0
        self._ranges = ""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return the numbers among the parameters that all trials which stand have in common."""
        return super().infer_relative_search_space(_as_ordered(study), trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a draw from the distribution, which is updated first if a generation is whole."""
        self._raise_error_if_multi_objective(study)
        ordered = _as_ordered(study)
        self._ranges = _digest(search_space)
        # A space that was extended since may hold what the start does not: then the middle.
        start = self._restart(ordered) or self._start or {}
        known = all(name in start and contains(space, start[name]) for name, space in search_space.items())
        self._x0 = {name: start[name] for name in search_space} if known else None
        return super().sample_relative(ordered, trial, search_space)

    def _restart(self, study: Study) -> Mapping[str, Any] | None:
        """Where a new distribution begins when the ranges have become others: at the best trial so far."""
        trials = study.get_trials(deepcopy=False)
        names = {name for trial in trials for name in trial.system_attrs}
        any_state = super()._attr_key_optimizer
        states = {name for name in names if name.startswith(any_state)}
        if not states or any(name.startswith(self._attr_key_optimizer) for name in states):
            return None
        pick = max if study.direction == StudyDirection.MAXIMIZE else min
        return pick(trials, key=lambda trial: trial.values[0]).params

    # Its state is in parts of the ranges, so it means nothing in others: each set of ranges has keys of its own.

    @property
    def _attr_key_generation(self) -> str:
        return f"{super()._attr_key_generation}:{self._ranges}"

    @property
    def _attr_key_optimizer(self) -> str:
        return f"{super()._attr_key_optimizer}:{self._ranges}"

    def _restore_optimizer(self, completed_trials: list[FrozenTrial]) -> CMA | None:
        """Return the newest stored state, read without executing what it might name.

        Overrides Optuna's, which unpickles whatever the study holds.
        """
        for trial in reversed(completed_trials):
            parts = {k: v for k, v in trial.system_attrs.items() if k.startswith(self._attr_key_optimizer)}
            if parts:
                stored: CMA = _load(self._concat_optimizer_attrs(parts), trial.number)
                return stored
        return None


def _digest(space: Mapping[str, BaseDistribution]) -> str:
    text = json.dumps({name: distribution_to_json(space[name]) for name in sorted(space)})
    return hashlib.sha256(text.encode()).hexdigest()[:8]


class _StateUnpickler(pickle.Unpickler):
    """Reads numbers, arrays and the three kinds of CMA-ES; any other name is refused."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the signature of pickle
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def _load(text: str, number: int) -> Any:  # noqa: ANN401 - one of the three kinds of CMA-ES
    try:
        return _StateUnpickler(io.BytesIO(bytes.fromhex(text))).load()
    except (pickle.UnpicklingError, ValueError, EOFError) as error:
        raise InputError(
            f"The state of CMA-ES stored with trial {number} cannot be used ({error}): "
            "take the member `cmaes` out, or start the sweep anew in another folder."
        ) from error


def _as_ordered(study: Study) -> Study:
    """Show the trials that stand as COMPLETE, each with its place in the order of all as its value."""
    sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
    trials = [trial for trial in study.get_trials(deepcopy=False) if stands(trial) and sound(trial)]
    order = sorted(trials, key=lambda trial: (*_merit(trial, sign), -trial.number))
    place = {trial.number: position for position, trial in enumerate(order)}
    return StudyView(study, [as_complete(trial, sign * place[trial.number]) for trial in trials])


def _merit(trial: FrozenTrial, sign: float) -> tuple[float, float]:
    """How far a trial got, and how good it was there."""
    step = math.inf if trial.state == TrialState.COMPLETE or trial.last_step is None else trial.last_step
    return float(step), sign * (final_value(trial) or 0.0)
