"""What the page of an EDA is made of, and the pieces that its sections share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from data_prep.eda.charts import Chart, class_colour
from data_prep.eda.markup import Swatch, data_uri, text
from data_prep.eda.sheets import Shown
from data_prep.eda.shell import chart_row
from data_prep.eda.summary import EdaSummary
from data_prep.eda.tables import Tables
from data_prep.labels import Stratification


@dataclass(frozen=True, slots=True)
class Content:
    """What a page is made of.

    Attributes:
        summary:
            The figures.
        tables:
            The rows behind them.
        stratification:
            The thresholds.
        charts:
            Plots by section.
        class_sheets:
            Contact sheets by class id.
        background_sheet:
            Pictures without boxes.
        worst_sheet:
            Pictures with the worst findings.
        has_pictures:
            Whether there are pictures to show at all.
    """

    summary: EdaSummary
    tables: Tables
    stratification: Stratification
    charts: Mapping[str, Sequence[Chart]]
    class_sheets: Mapping[int, Sequence[Shown]]
    background_sheet: Sequence[Shown]
    worst_sheet: Sequence[Shown]
    has_pictures: bool


def class_name(content: Content, class_id: int) -> Swatch:
    """Return a cell with the name of a class."""
    return Swatch(content.tables.names[class_id], class_colour(class_id))


def charts(content: Content, name: str) -> str:
    """Return the plots of a section; without any, nothing."""
    return chart_row(content.charts[name])


def sheet(pictures: Iterable[Shown]) -> str:
    """Return a contact sheet; without pictures, nothing."""
    figures = []
    for shown in pictures:
        size = f'width="{shown.width}" height="{shown.height}"'
        image = f'<img src="{data_uri(shown.jpeg, "image/jpeg")}" {size} alt="">'
        drawn = image if shown.jpeg else '<div class="lost">cannot be shown</div>'
        figures.append(f"<figure>{drawn}<figcaption>{text(shown.caption)}</figcaption></figure>")
    return f'<div class="sheet">{"".join(figures)}</div>' if figures else ""
