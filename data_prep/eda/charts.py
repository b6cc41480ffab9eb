"""The plots of an EDA: counted first, drawn second, so that a plot is as small for a million boxes as for ten.

Nothing from the data set is written into a plot (class names, say): the page puts that beside it, escaped.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_Floats = npt.NDArray[np.floating]
_Ints = npt.NDArray[np.int64]

#: Colours of the classes, told apart on light and dark ground and by most colour-blind people (Okabe and Ito 2008,
#: extended); they repeat after the last.
PALETTE = (
    "#2f7fc1", "#e08a00", "#1b9e77", "#cc5fa0", "#d5502a", "#8a79d6", "#7f9a1f", "#b0762d", "#35a7c9", "#c94f6d",
    "#5f8f5f", "#8c8c8c",
)  # fmt: skip

_INK, _LINE = "#010203", "#040506"  # stand-ins in a plot for colours that the page's theme sets
_PAPER_INK, _PAPER_LINE = "#1d2329", "#c3cad1"
_DPI = 110
_STYLE = {
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.linewidth": 0.6,
    "figure.subplot.left": 0.14,
    "figure.subplot.right": 0.955,
    "figure.subplot.bottom": 0.18,
    "svg.fonttype": "none",  # text stays text
}


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot.

    Attributes:
        name:
            Short name, safe as a file name.
        title:
            What stands above it, as people wrote it: may be a class name.
        colour:
            Of the sign before the title; empty for none.
        draw:
            Draws it into an empty pair of axes.
    """

    name: str
    title: str
    colour: str
    draw: Callable[[Axes], None]


def class_colour(class_id: int) -> str:
    """Return the colour of a class, for plots and boxes."""
    return PALETTE[class_id % len(PALETTE)]


def to_svg(chart: Chart) -> str:
    """Return a plot as SVG to stand in a page: its ink is the page's, its width what the page gives it."""
    with _style(_INK, _LINE, chart.name):
        svg = _render(chart, "svg", "").decode()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor").replace(_LINE, "var(--line)")
    svg = svg.replace("xlink:href", "href")  # SVG 2; needs no namespace in HTML
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)  # style.py has the latter
    svg = re.sub(r'(<g) id="[^"]*"', r"\1", svg)  # matplotlib gives every plot the same ids
    return re.sub(r'^<svg[^>]*? viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', svg)


def to_png(chart: Chart) -> bytes:
    """Return a plot as a PNG file on white, its title in it."""
    with _style(_PAPER_INK, _PAPER_LINE, chart.name):
        return _render(chart, "png", chart.title)


def counts_chart(name: str, title: str, class_id: int, counts: _Ints, thresholds: Sequence[int]) -> Chart:
    """Plot how many pictures have 1, 2, 3 .. boxes of a class, its bins marked.

    Args:
        name:
            Of the chart.
        title:
            Of the chart.
        class_id:
            Gives the colour.
        counts:
            Boxes per picture, shape ``(pictures,)``; those without are left out.
        thresholds:
            First counts of the bins after the first.
    """
    present = counts[counts > 0]
    highest = int(present.max(initial=max((1, *thresholds))))
    step = -(-highest // 60)
    edges = np.arange(0.5, highest + step + 0.5, step)
    marks = [threshold - 0.5 for threshold in thresholds]
    return _histogram(name, title, class_id, present, edges, marks, ("boxes in a picture", "pictures"))


def ratio_chart(name: str, title: str, class_id: int, ratios: _Floats, threshold: float) -> Chart:
    """Plot the shape of boxes, width by width + height, with the borders of the ratio classes."""
    marks = [1 - threshold, threshold]
    labels = ("width / (width + height)", "boxes")
    return _histogram(name, title, class_id, ratios, np.linspace(0, 1, 51), marks, labels)


def area_chart(
    name: str, title: str, class_id: int, areas: _Floats, span: tuple[float, float], thresholds: Sequence[int]
) -> Chart:
    """Plot the areas of boxes on a logarithmic scale over ``span``, with the borders of the size classes."""
    low, high = math.log10(max(min(span[0], thresholds[0]), 1)), math.log10(max(span[1], thresholds[-1]))
    bottom, top = math.floor(4 * low) / 4, math.ceil(4 * high) / 4
    edges = np.logspace(bottom, top, round(12 * (top - bottom)) + 1)
    return _histogram(
        name, title, class_id, areas.clip(10**bottom), edges, thresholds, ("area, px²", "boxes"), log=True
    )


def small_chart(name: str, title: str, class_id: int, areas: _Floats, largest: int, thresholds: Sequence[int]) -> Chart:
    """Plot the areas of small boxes on a plain scale."""
    marks = [threshold for threshold in thresholds if threshold < largest]
    edges = np.linspace(0, largest, 41)
    return _histogram(name, title, class_id, areas[areas <= largest], edges, marks, ("area, px²", "boxes"))


def place_chart(name: str, title: str, class_id: int | None, x: _Floats, y: _Floats, aspect: float) -> Chart:
    """Plot where the centres of boxes lie, as a heat map.

    Args:
        name:
            Of the chart.
        title:
            Of the chart.
        class_id:
            Gives the colour of the title's sign; None for all classes together.
        x:
            Centres as shares of the width, shape ``(boxes,)``.
        y:
            Centres as shares of the height.
        aspect:
            Height by width of the pictures.
    """
    cells = (min(max(round(40 * aspect), 10), 80), 40)
    counts, _, _ = np.histogram2d(y, x, bins=cells, range=((0, 1), (0, 1)))

    def draw(axes: Axes) -> None:
        shape = min(max(aspect, 0.4), 1.2)
        scale = PowerNorm(0.5, vmin=0, vmax=max(counts.max(), 1))  # else one crowded cell hides all others
        drawn = axes.imshow(
            counts, extent=(0, 1, 1, 0), aspect=shape, cmap="viridis", interpolation="nearest", norm=scale
        )
        axes.set(xlabel="share of the width", ylabel="share of the height", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.grid(visible=False)
        figure = axes.get_figure()
        if figure is not None:
            bar = figure.colorbar(drawn, ax=axes, shrink=0.9, pad=0.02)
            bar.outline.set_visible(False)
            bar.locator = MaxNLocator(4, integer=True)

    return Chart(name, title, "" if class_id is None else class_colour(class_id), draw)


def size_chart(name: str, title: str, sizes: Mapping[tuple[int, int], int]) -> Chart:
    """Plot pictures per size, the area of each dot after the number of pictures."""
    width, height = np.array(list(sizes), dtype=np.float64).reshape(-1, 2).T
    share = np.array(list(sizes.values())) / max(sum(sizes.values()), 1)

    def draw(axes: Axes) -> None:
        dots = 12 + 500 * share
        axes.scatter(width, height, s=dots, color=PALETTE[0], alpha=0.55, linewidth=0, rasterized=True)
        axes.set(xlabel="width, px", ylabel="height, px")
        axes.set_xlim(0, 1.12 * width.max(initial=1))
        axes.set_ylim(0, 1.12 * height.max(initial=1))

    return Chart(name, title, "", draw)


def _histogram(
    name: str, title: str, class_id: int, values: npt.NDArray[np.generic], edges: _Floats, marks: Sequence[float],
    labels: tuple[str, str], *, log: bool = False,
) -> Chart:  # fmt: skip
    counts, _ = np.histogram(values, edges)
    colour = class_colour(class_id)

    def draw(axes: Axes) -> None:
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g}k")
        axes.stairs(counts, edges, fill=True, color=colour)
        for mark in marks:
            if edges[0] < mark < edges[-1]:
                axes.axvline(mark, color=axes.xaxis.label.get_color(), linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set(xlabel=labels[0], ylabel=labels[1], xlim=(edges[0], edges[-1]))
        axes.set_ylim(0, max(1.05 * counts.max(initial=0), 1))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))

    return Chart(name, title, colour, draw)


@contextmanager
def _style(ink: str, line: str, salt: str) -> Iterator[None]:
    """Draw by our settings alone; those of the user's matplotlibrc are back afterwards."""
    colours = {"text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink}
    colours |= {"axes.edgecolor": line, "grid.color": line}
    with matplotlib.style.context(["default", {**_STYLE, **colours, "svg.hashsalt": salt}]):
        yield


def _render(chart: Chart, form: str, title: str) -> bytes:
    figure = Figure(figsize=(4.6, 2.7))
    figure.subplots_adjust(top=0.89 if title else 0.96)
    axes = figure.add_subplot()
    chart.draw(axes)
    if title:
        axes.set_title(title, parse_math=False, fontsize=10)
    content = io.BytesIO()
    svg = form == "svg"
    metadata = None if svg else {"Software": None}  # that of SVG is taken out anyway
    figure.savefig(content, format=form, dpi=_DPI, transparent=svg, metadata=metadata)
    return content.getvalue()
