"""The sections of the page that show findings and pictures; each returns HTML."""

from __future__ import annotations

from data_prep.eda.charts import class_colour
from data_prep.eda.content import Content, sheet
from data_prep.eda.markup import NOTHING, Swatch, number, paragraph, per_cent, swatch, table
from data_prep.findings import SEVERITIES, Kind, Severity

_GRAVITY = tuple(Severity)  # the gravest first
_ROWS = 60  # rows of a list that may be long


def background(content: Content) -> str:
    """List and show pictures without boxes."""
    images = content.tables.images
    empty = images[images["background"]]
    if not len(empty):
        return paragraph("No picture is without boxes.")
    rows = list(zip(empty["file_name"], empty["splits"].str.replace(",", ", "), strict=True))
    more = f"The first {_ROWS}; images.parquet has all." if len(rows) > _ROWS else ""
    share = len(empty) / content.summary.images
    intro = f"{number(len(empty))} of {number(content.summary.images)} pictures ({per_cent(share)}) are background."
    return paragraph(intro, more) + table(("picture", "in the splits"), rows[:_ROWS]) + sheet(content.background_sheet)


def findings(content: Content) -> str:
    """Count the findings and list the gravest."""
    found = content.tables.findings
    if not len(found):
        return paragraph("Nothing was found wrong.")
    kinds = sorted(content.summary.findings, key=lambda kind: _GRAVITY.index(SEVERITIES[Kind(kind)]))
    counts = [
        (_severity(SEVERITIES[Kind(kind)]), kind, policy, count)
        for kind in kinds
        for policy, count in content.summary.findings[kind].items()
    ]
    first = found.sort_values("kind", key=lambda column: column.map(kinds.index), kind="stable").head(_ROWS)
    columns = (first[name].tolist() for name in ("severity", "kind", "policy", "file", "detail"))
    rows = [(_severity(Severity(severity)), *rest) for severity, *rest in zip(*columns, strict=True)]
    more = f"The first {_ROWS} of {number(len(found))}; findings.parquet has all." if len(found) > _ROWS else ""
    return (
        table(("severity", "kind", "policy", "findings"), counts)
        + paragraph(more)
        + table(("severity", "kind", "policy", "file", "detail"), rows)
    )


def sheets(content: Content) -> str:
    """Show pictures of each class."""
    if not content.has_pictures:
        return paragraph("The data has boxes and no pictures, so there are no contact sheets.")
    if not content.class_sheets:
        return NOTHING
    intro = "Chosen at random. Boxes of the class are thick, those of other classes thin, in the classes' colours."
    shown_classes = "".join(
        f"<h3>{swatch(content.tables.names[class_id], class_colour(class_id))}</h3>{sheet(shown)}"
        for class_id, shown in content.class_sheets.items()
    )
    return paragraph(intro) + shown_classes


def worst(content: Content) -> str:
    """Show the pictures with the worst findings."""
    if not content.worst_sheet:
        return paragraph("No picture that can be shown has an error or a warning.")
    intro = "The pictures that are left in the data with the most errors, then the most warnings."
    return paragraph(intro) + sheet(content.worst_sheet)


def _severity(severity: Severity) -> Swatch:
    return Swatch(severity.value, f"var(--{severity.value})")
