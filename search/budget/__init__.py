"""What a sweep may spend and when it has what it wants, how that is kept, and what a sweep will take."""

from __future__ import annotations

from search.budget.config import BudgetConfig, PlateauConfig

__all__ = ["BudgetConfig", "PlateauConfig"]
