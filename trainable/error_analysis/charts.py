"""The plots of an error analysis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from data_prep.eda.charts import PALETTE, Chart, class_colour
from trainable.error_analysis.analysis import Analysis
from trainable.error_analysis.kinds import Kind
from trainable.error_analysis.quality import curve
from trainable.error_analysis.sizes import ALL

MOST_CLASSES = 12
"""Classes that have a plot of their own, those with the most labels."""


def cost_chart(found: Analysis) -> Chart:
    """What each kind of error costs, as bars."""
    values = [found.cost(kind) for kind in Kind]
    return _bars("costs", "What each kind of error costs", values, "AP that is gained where it is mended", "{:.3f}")


def count_chart(found: Analysis) -> Chart:
    """How many errors there are of each kind, as bars."""
    values = [float(found.working_verdicts.count(kind)) for kind in Kind]
    return _bars("counts", "How many there are", values, "errors at the working confidence", "{:,.0f}")


def _bars(name: str, title: str, values: Sequence[float], label: str, form: str) -> Chart:
    def draw(axes: Axes) -> None:
        places = range(len(values))
        axes.barh(places, values, color=PALETTE[0], height=0.66)
        axes.set_yticks(places, [kind.name.lower() for kind in Kind])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        low, high = min(*values, 0), max(*values, 0.01)
        axes.set(xlabel=label, xlim=(1.12 * low, 1.15 * high))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        for place, value in zip(places, values, strict=True):
            axes.text(max(value, 0) + 0.012 * (high - low), place, form.format(value), va="center", fontsize=8)
        box = axes.get_position()
        axes.set_position((0.24, box.y0, box.x1 - 0.24, box.height))

    return Chart(name, title, "", draw)


def curve_charts(found: Analysis) -> list[Chart]:
    """Precision by recall of each class, the working point as a dot."""
    return [_curve_chart(found, kind) for kind in found.labelled[:MOST_CLASSES]]


def _curve_chart(found: Analysis, kind: int) -> Chart:
    recall, precision = curve(found.ranking, kind)
    here, colour = found.quality[ALL.name][kind], class_colour(kind)

    def draw(axes: Axes) -> None:
        best = np.maximum.accumulate(np.array(precision)[::-1])[::-1]
        axes.fill_between(recall, best, color=colour, alpha=0.13, linewidth=0)
        axes.plot(recall, precision, color=colour, linewidth=1.6)
        if here.precision is not None and here.recall is not None:
            axes.plot([here.recall], [here.precision], "o", color=axes.xaxis.label.get_color(), markersize=6)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.04))

    return Chart(f"curve-{kind}", found.names[kind], colour, draw)
