"""Silver labels: a network predicts pictures, and what a rule takes of it becomes labels to train on."""

from __future__ import annotations

from trainable.silver.run import SilverOptions, SilverSummary, make_silver

__all__ = ["SilverOptions", "SilverSummary", "make_silver"]
