"""Ledger: ``confirm.json``, the one truth about a confirmation."""

from __future__ import annotations

from search.confirm.plan import ConfirmPlan
from search.confirm.seed_ledger import SeedLedger
from search.confirm.verdict import Decision, decide

FOLDER, JSON = "confirm", "confirm.json"


class Ledger(SeedLedger[ConfirmPlan, Decision]):
    """A confirmation as it stands on disk."""

    plan_type = ConfirmPlan
    what = "confirmation"

    def decide(self, looks: tuple[int, ...]) -> Decision:
        """The first of the looks that decides, or the last."""
        return decide(self.scores(), looks, self.rule)
