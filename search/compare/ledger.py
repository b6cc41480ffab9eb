"""ComparisonLedger: ``comparison.json``, the one truth about a comparison."""

from __future__ import annotations

from collections.abc import Collection

from search.compare.plan import ComparisonPlan
from search.compare.standing import ComparisonDecision, stand
from search.confirm.seed_ledger import SeedLedger

JSON = "comparison.json"


class ComparisonLedger(SeedLedger[ComparisonPlan, ComparisonDecision]):
    """A comparison as it stands on disk."""

    plan_type = ComparisonPlan
    what = "comparison"

    def decide(self, looks: tuple[int, ...]) -> ComparisonDecision:
        """How the arms stand."""
        return stand(self.scores(), looks, self.rule)

    def out(self) -> Collection[int]:
        """The arms that are trained no more: those that were lost, and those of which an earlier look told enough."""
        through = {arm for arm, found in self.decide(self.looks).arms.items() if found.standing.is_final}
        return {*super().out(), *through}
