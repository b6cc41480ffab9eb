"""The EDA as one HTML page that needs nothing else: no request, no script."""

from __future__ import annotations

from data_prep.eda import evidence, figures
from data_prep.eda.content import Content
from data_prep.eda.markup import NOTHING, number, section, text
from data_prep.eda.style import CSS

#: By this the page is told from other HTML files.
GENERATOR = '<meta name="generator" content="hypsweep eda">'

# Should an escape ever be forgotten, the browser still runs and fetches nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
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
    links = "".join(f'<li><a href="#{name}">{text(title)}</a></li>' for name, (title, _) in sections.items())
    body = "".join(
        section(name, title, build(content) if summary.boxes or name not in _OF_BOXES else NOTHING)
        for name, (title, build) in sections.items()
    )
    title = text(summary.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR}'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}: EDA</title><style>{CSS}</style></head><body>"
        f'<div class="page"><nav aria-label="Contents"><ol>{links}</ol></nav>'
        f"<main><h1>{title}</h1>{_tiles(content)}{body}</main></div></body></html>\n"
    )


def _tiles(content: Content) -> str:
    summary = content.summary
    per_image = summary.boxes_per_image
    tiles = [
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
    shown = "".join(f"<div><b>{value}</b><span>{text(name)}</span></div>" for value, name in tiles)
    return f'<div class="tiles">{shown}</div>'
