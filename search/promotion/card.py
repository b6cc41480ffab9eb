"""``model_card.md``: what a stranger needs to know of finished weights, on one page."""

from __future__ import annotations

from search.promotion import origin, sections
from search.promotion.facts import CardFacts

_ORDER = (
    sections.about,
    sections.files,
    sections.figures,
    sections.thresholds,
    sections.data,
    origin.found_by,
    origin.trained_with,
    sections.onnx,
    origin.versions,
    origin.repeat,
)


def model_card(facts: CardFacts) -> str:
    """The page: files, figures, thresholds, data, sweep, training, ONNX, versions, commands."""
    lines = [line for part in _ORDER for line in part(facts)]
    return "\n".join(lines).rstrip() + "\n"
