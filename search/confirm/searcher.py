"""ConfirmSearcher: hands the trainings of a confirmation to Ray Tune and writes down what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from ray.tune.search import Searcher

from data_prep.errors import WorkFailedError
from search.confirm.seed_ledger import AnyLedger, Training
from search.crashes import Crash
from search.fatal import missing_metric
from search.outcome import judge, metrics_of
from search.schedulers.keys import TIME_ATTR
from search.trial_plan import TrialPlan
from trainable.failures import DIVERGED, MEMORY, error_of

LOSSES = (DIVERGED, MEMORY)
"""Failures that are the hyp's own and so count against it; others end the confirmation, and the training waits."""


class ConfirmSearcher(Searcher):
    """Hands out trainings round by round, until the ledger says that it is over; all state is in the ledger.

    Args:
        ledger:
            The confirmation.
        common:
            What its trainings share.
        find_checkpoint:
            Path or URI of the checkpoint that a training goes on from, by its number, or None.
        crash_of:
            Why Ray gave up on a training, by Ray's id.
        say:
            Gets one line for each training that begins or ends.

    Attributes:
        error:
            Why the confirmation ends before its time.
    """

    def __init__(
        self,
        ledger: AnyLedger,
        common: TrialPlan,
        find_checkpoint: Callable[[int], str | None],
        crash_of: Callable[[str], Crash],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(metric=common.metric, mode=common.mode)
        self._ledger = ledger
        self._common = common
        self._find_checkpoint = find_checkpoint
        self._crash_of = crash_of
        self._say = say
        self._live: dict[str, tuple[int, int]] = {}
        self._seconds: dict[str, float] = {}
        self.error: Exception | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The configuration of the next training; None while there can be none; ``FINISHED`` at the end."""
        most = self._common.max_concurrent
        if self.error is not None or (most is not None and len(self._live) >= most):
            return None
        pair = self._ledger.next_training(set(self._live.values()))
        if pair is None:  # one at work may end a round that does not decide, or crash
            return None if self._live else cast("dict[str, Any]", Searcher.FINISHED)
        self._live[trial_id] = pair
        plan = self._ledger.plan
        checkpoint = self._find_checkpoint(plan.number(*pair))
        self._say(f"{self._name(pair)} {'goes on from its checkpoint' if checkpoint else 'starts'}")
        return plan.trial_config(self._common, *pair, checkpoint)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Note the time that an epoch took, and that the metric is reported."""
        self._spend(trial_id, result)
        self.error = missing_metric(self._common, result) or self.error

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Write down what a training reached, or why the confirmation cannot go on."""
        if trial_id not in self._live:
            return
        pair = self._live.pop(trial_id)
        try:
            self._finish(pair, trial_id, result or {}, self._crash_of(trial_id) if error else None)
        except Exception as failure:
            self.error = failure
            raise

    def pair(self, trial_id: str) -> tuple[int, int] | None:
        """The trial and the place of the seed of a training at work."""
        return self._live.get(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Write nothing worth reading: Ray asks for it now and then, and the ledger has it all."""
        Path(checkpoint_path).write_text("{}", encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing; see :meth:`save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def _finish(self, pair: tuple[int, int], trial_id: str, result: Mapping[str, Any], crash: Crash | None) -> None:
        if crash is not None:
            self.error = self.error or WorkFailedError(f"{self._name(pair)} {crash.reason.rstrip('.')}")
            return
        if not result:  # Ray stopped it before its first epoch
            return
        self._spend(trial_id, result)
        epochs = self._ledger.plan.epochs_of(pair[0])
        outcome = judge(result, self._common.metrics, epochs)
        if outcome.reason is not None and outcome.kind not in LOSSES:
            self.error = self.error or error_of(outcome.kind, outcome.reason)
            return
        if outcome.reason is None and result[TIME_ATTR] < epochs:  # stopped from outside
            return
        self._ledger.record(self._training(pair, trial_id, result, outcome.reason, outcome.values))
        self._say(f"{self._name(pair)} {self._ended(outcome.reason, outcome.values)}")

    def _training(
        self,
        pair: tuple[int, int],
        trial_id: str,
        result: Mapping[str, Any],
        reason: str | None,
        values: tuple[float, ...] | None,
    ) -> Training:
        trial, place = pair
        return Training(
            trial=trial,
            place=place,
            seed=self._ledger.plan.seed(place),
            value=values[0] if reason is None and values else None,
            epochs=int(result[TIME_ATTR]) - (reason is not None),
            seconds=self._seconds.pop(trial_id, 0.0),
            failure=reason,
            metrics=metrics_of(result),
        )

    def _spend(self, trial_id: str, result: Mapping[str, Any]) -> None:
        self._seconds[trial_id] = self._seconds.get(trial_id, 0.0) + float(result.get("time_this_iter_s", 0.0))

    def _name(self, pair: tuple[int, int]) -> str:
        trial, place = pair
        return f"{self._ledger.plan.name(trial)}, seed {self._ledger.plan.seed(place)}:"

    def _ended(self, reason: str | None, values: tuple[float, ...] | None) -> str:
        done = len(self._ledger.trainings)
        ended = f"lost, {reason}" if reason is not None or not values else f"{self._common.metric} {values[0]:.5g}"
        left = len(self._ledger.due())
        return f"{ended} | {done} trained, {left} more in this round"
