"""The EDA as one HTML page that needs nothing else: no request, no script."""

from __future__ import annotations

from data_prep.eda import evidence, figures
from data_prep.eda.content import Content
from data_prep.eda.markup import NOTHING, number
from data_prep.eda.shell import html_page

#: By this the page is told from other HTML files.
GENERATOR = '<meta name="generator" content="hypsweep eda">'

_OF_BOXES = ("counts", "ratio", "area", "small", "places")


def build_page(content: Content) -> str:
    """Return the page."""
    summary = content.summary
    sections = {
        "classes": ("Classes", figures.classes),
        "splits": ("Splits", figures.splits),
        "sizes": ("Picture sizes", figures.sizes),
        "counts": ("Boxes in a picture", figures.counts),
        "ratio": ("Box shapes", figures.ratios),
        "area": ("Box sizes", figures.areas),
        "small": ("Small boxes", figures.small),
        "places": ("Where boxes lie", figures.places),
        "background": ("Pictures without boxes", evidence.background),
        "findings": ("Findings", evidence.findings),
        "sheets": ("Pictures of each class", evidence.sheets),
        "worst": ("Pictures with the worst findings", evidence.worst),
    }
    built = {
        name: (title, build(content) if summary.boxes or name not in _OF_BOXES else NOTHING)
        for name, (title, build) in sections.items()
    }
    return html_page(summary.title, "EDA", GENERATOR, _tiles(content), built)


def _tiles(content: Content) -> list[tuple[str, str]]:
    summary = content.summary
    per_image = summary.boxes_per_image
    return [
        (number(summary.images), "pictures"),
        (number(summary.boxes), "boxes"),
        (number(len(content.tables.names)), "classes"),
        (number(summary.background), "pictures without boxes"),
        (
            number(float(per_image["mean"])),
            f"boxes in a picture; median {per_image['median']:g}, most {per_image['max']}",
        ),
        (number(len(content.tables.findings)), "findings"),
    ]
