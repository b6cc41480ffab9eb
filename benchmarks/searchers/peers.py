"""Other tools as their users run them, by their own code, driven without their processes.

- Ray: the real ``OptunaSearch`` and ``ASHAScheduler``; trials are stand-ins that carry what the two read of them.
- Optuna: real studies; TPE with ``HyperbandPruner``, TPE alone, GP.
- Syne Tune 0.16.0 (where it is on the path): its ASHA. MOBSTER is gone from that release.
"""

from __future__ import annotations

import math
import types
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from benchmarks.searchers.simulate import Book, Hyp
from benchmarks.searchers.space import BOUNDS, EPOCHS, distributions


class RayOptuna:
    """Ray's ``OptunaSearch`` (its defaults, the start enqueued) under Ray's ``ASHAScheduler``."""

    def __init__(self, start: Hyp, seed: int, grace_period: int = 1, reduction_factor: float = 4) -> None:
        from ray.tune.schedulers import ASHAScheduler
        from ray.tune.search.optuna import OptunaSearch

        self._book = Book()
        space = {name: _ray_domain(name) for name in BOUNDS}
        self._search = OptunaSearch(points_to_evaluate=[dict(start)], seed=seed)
        self._search.set_search_properties("fitness", "max", space)
        self._asha = ASHAScheduler(
            time_attr="training_iteration", metric="fitness", mode="max", max_t=EPOCHS,
            grace_period=grace_period, reduction_factor=reduction_factor,
        )  # fmt: skip

    def next(self) -> tuple[int, Hyp] | None:
        number = len(self._book.hyps)
        hyp = self._search.suggest(str(number))
        self._asha.on_trial_add(None, _stand_in(number))
        return self._book.add(hyp), hyp

    def report(self, number: int, epoch: int, value: float) -> bool:
        from ray.tune.schedulers import TrialScheduler

        value = 0.0 if math.isnan(value) else value
        self._book.note(number, value)
        result = {"training_iteration": epoch, "fitness": value}
        decision = self._asha.on_trial_result(None, _stand_in(number), result)
        if decision == TrialScheduler.STOP or epoch == EPOCHS:
            # Ray's controller passes a trial's last result to on_trial_complete alone.
            self._asha.on_trial_complete(None, _stand_in(number), result)
            self._search.on_trial_complete(str(number), result)
            return False
        self._search.on_trial_result(str(number), result)
        return True

    def pick(self) -> Hyp | None:
        return self._book.pick()


class OptunaStudy:
    """An Optuna study, with a pruner or without, by ask, report and tell; the start is enqueued."""

    def __init__(self, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner, start: Hyp) -> None:
        self._book, self._space = Book(), distributions()
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner, study_name="benchmark")
        self._study.enqueue_trial(dict(start))
        self._trials: dict[int, optuna.Trial] = {}

    def next(self) -> tuple[int, Hyp] | None:
        trial = self._study.ask(self._space)
        self._trials[trial.number] = trial
        return self._book.add(trial.params), trial.params

    def report(self, number: int, epoch: int, value: float) -> bool:
        value = 0.0 if math.isnan(value) else value
        self._book.note(number, value)
        trial = self._trials[number]
        trial.report(value, epoch)
        if epoch == EPOCHS:
            self._study.tell(trial, value)
        elif trial.should_prune():
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            return True
        return False

    def pick(self) -> Hyp | None:
        return self._book.pick()


class SyneTune:
    """A scheduler of Syne Tune's ``baselines``, by name; its defaults."""

    def __init__(self, name: str, start: Hyp, seed: int, grace_period: int = 1) -> None:
        from syne_tune.backend.trial_status import Trial
        from syne_tune.config_space import loguniform, uniform
        from syne_tune.optimizer import baselines

        np.random.seed(seed)  # noqa: NPY002 - parts of Syne Tune draw from the global stream
        space = {name: (loguniform if log else uniform)(low, high) for name, (low, high, log) in BOUNDS.items()}
        self._book, self._make = Book(), Trial
        self._scheduler = getattr(baselines, name)(
            space, metric="fitness", time_attr="epoch", max_t=EPOCHS, do_minimize=False, random_seed=seed,
            grace_period=grace_period, points_to_evaluate=[dict(start)],
        )  # fmt: skip
        self._trials: dict[int, Any] = {}

    def next(self) -> tuple[int, Hyp] | None:
        from datetime import datetime

        hyp = self._scheduler.suggest().config
        number = self._book.add(hyp)
        self._trials[number] = self._make(trial_id=number, config=hyp, creation_time=datetime.now())  # noqa: DTZ005
        self._scheduler.on_trial_add(self._trials[number])
        return number, hyp

    def report(self, number: int, epoch: int, value: float) -> bool:
        value = 0.0 if math.isnan(value) else value
        self._book.note(number, value)
        result = {"fitness": value, "epoch": epoch}
        if epoch == EPOCHS:
            self._scheduler.on_trial_complete(self._trials[number], result)
            return False
        return bool(self._scheduler.on_trial_result(self._trials[number], result) == "CONTINUE")

    def pick(self) -> Hyp | None:
        return self._book.pick()


def _ray_domain(name: str) -> Any:
    from ray import tune

    low, high, log = BOUNDS[name]
    return tune.loguniform(low, high) if log else tune.uniform(low, high)


def _stand_in(number: int) -> Any:
    return types.SimpleNamespace(trial_id=str(number))
