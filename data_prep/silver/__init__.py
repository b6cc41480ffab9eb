"""Silver labels: predictions of a model that join the labels of chosen pictures, as a data set of its own.

No network runs here; :mod:`trainable.silver` brings the predictions.
"""

from __future__ import annotations

from data_prep.silver.gold import GoldSet, LeftOut, read_gold
from data_prep.silver.merge import Merged, Rows, label_lines, merge
from data_prep.silver.offers import Offer, Offered, Reason, gold_offers, sort_offers
from data_prep.silver.rule import SilverRule, refusal

__all__ = [
    "GoldSet", "LeftOut", "Merged", "Offer", "Offered", "Reason", "Rows", "SilverRule", "gold_offers", "label_lines",
    "merge", "read_gold", "refusal", "sort_offers",
]  # fmt: skip
