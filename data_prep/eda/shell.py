"""What every page of ours is: one HTML file that needs nothing else, no request and no script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from data_prep.eda.charts import Chart, to_svg
from data_prep.eda.markup import section, swatch, text
from data_prep.eda.style import CSS

# Should an escape ever be forgotten, the browser still runs and fetches nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def html_page(
    title: str,
    kind: str,
    generator: str,
    tiles: Iterable[tuple[str, str]],
    sections: Mapping[str, tuple[str, str]],
) -> str:
    """Return a page.

    Args:
        title:
            What it is about.
        kind:
            What it is, for the window's title.
        generator:
            Tag by which the page is told from other HTML files.
        tiles:
            Figures at its top, each with its name.
        sections:
            Title and HTML by anchor.
    """
    links = "".join(f'<li><a href="#{name}">{text(shown)}</a></li>' for name, (shown, _) in sections.items())
    body = "".join(section(name, shown, content) for name, (shown, content) in sections.items())
    figures = "".join(f"<div><b>{text(value)}</b><span>{text(name)}</span></div>" for value, name in tiles)
    heading = text(title)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{generator}'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{heading}: {text(kind)}</title><style>{CSS}</style></head><body>"
        f'<div class="page"><nav aria-label="Contents"><ol>{links}</ol></nav>'
        f'<main><h1>{heading}</h1><div class="tiles">{figures}</div>{body}</main></div></body></html>\n'
    )


def chart_row(charts: Sequence[Chart]) -> str:
    """Return plots side by side; without any, nothing."""
    figures = "".join(
        f'<figure class="chart"><figcaption>{swatch(chart.title, chart.colour)}</figcaption>{to_svg(chart)}</figure>'
        for chart in charts
    )
    return f'<div class="charts">{figures}</div>' if figures else ""
