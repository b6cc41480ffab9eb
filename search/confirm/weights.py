"""Which checkpoints of a confirmation stay: those with the first seed, in the end the winner's alone.

They are weights that have seen ``train`` and not ``valid``: what thresholds are chosen and errors are looked at with.
"""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from search.confirm.seed_ledger import AnyLedger
from search.keeper import discard_quietly

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


class ConfirmKeeper(Callback):
    """Deletes the checkpoints of trainings that have ended.

    Args:
        root:
            Path or URI of the confirmation's checkpoints.
        ledger:
            The confirmation.
    """

    def __init__(self, root: str, ledger: AnyLedger) -> None:
        self._root = root
        self._ledger = ledger

    def settle(self) -> None:
        """Bring the storage into line with the ledger: what a kill left, and what came late."""
        decision = self._ledger.decision()
        winner = decision.trial if decision is not None else None
        for training in self._ledger.trainings:
            kept = training.place == 0 and training.value is not None and winner in (None, training.trial)
            discard_quietly(self._root, self._ledger.plan.number(training.trial, training.place), but_newest=kept)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:  # noqa: ANN401
        """Delete those of a training that has ended."""
        number = int(trial.config["trial_number"])
        if any(number == self._ledger.plan.number(each.trial, each.place) for each in self._ledger.trainings):
            discard_quietly(self._root, number, but_newest=number < len(self._ledger.plan.params))

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; a ledger stays in the driver
