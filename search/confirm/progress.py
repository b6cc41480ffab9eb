"""Shows a confirmation while it runs: a line for each epoch, with the time left in the round."""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from search.confirm.seed_ledger import AnyLedger
from search.schedulers.keys import TIME_ATTR

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


class ConfirmProgress(Callback):
    """Prints a line for each epoch.

    Args:
        ledger:
            The confirmation.
        say:
            Gets the lines.
    """

    def __init__(self, ledger: AnyLedger, say: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._say = say
        self._started = time.monotonic()
        self._epochs = 0
        self._at: dict[int, int] = {}

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        """Say how far a training is."""
        plan, number, epoch = self._ledger.plan, int(trial.config["trial_number"]), int(result.get(TIME_ATTR, 0))
        self._epochs += 1
        self._at[number] = epoch
        place, index = divmod(number, len(plan.params))
        name = plan.name(plan.trials[index])
        value = result.get(plan.metric)
        shown = "" if value is None else f", {plan.metric} {value:.4g}"
        left, epochs = timedelta(seconds=round(self._left())), plan.epochs_of(plan.trial_of(number))
        self._say(f"{name}, seed {plan.seed(place)}: epoch {epoch}/{epochs}{shown}, ETA {left}")

    def _left(self) -> float:
        """Seconds until the round is done, at the pace of this run's epochs."""
        plan = self._ledger.plan
        due = sum(plan.epochs_of(pair[0]) - self._at.get(plan.number(*pair), 0) for pair in self._ledger.due())
        return due * (time.monotonic() - self._started) / self._epochs

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; a terminal and a ledger stay in the driver
