"""The heat map of a grid: what the metric is for each confidence and IoU, the rest as chosen."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainable.nms import VAL, NmsSettings
from trainable.thresholds.choose import ThresholdChoice

_DPI = 110
_MOST_NUMBERS = 300  # cells that have room for a number each


def heat_map(choice: ThresholdChoice) -> bytes:
    """Draw a choice's grid as a PNG file: IoU downwards, confidence to the right, the chosen cell framed."""
    grid, chosen = choice.choosing.grid, choice.chosen.settings
    place = {settings: cell for cell, settings in enumerate(choice.swept.cells)}
    values = np.array(
        [
            [
                choice.swept.values[0, place[replace(chosen, iou=iou, confidence=confidence)]]
                for confidence in grid.confidences
            ]
            for iou in grid.ious
        ]
    )
    figure = Figure(figsize=(max(6.0, 1.5 + 0.62 * min(len(grid.confidences), 20)), 1.6 + 0.38 * len(grid.ious)))
    axes = figure.add_subplot()
    drawn = axes.imshow(values, aspect="auto", cmap="viridis")
    figure.colorbar(drawn, ax=axes, label=choice.choosing.measure.name)
    _label(axes, grid.confidences, grid.ious)
    if values.size <= _MOST_NUMBERS:
        _write_numbers(axes, values)
    _frame(axes, choice, chosen, "#d5502a", "-")
    _frame(axes, choice, VAL, "white", "--")
    boxes = "boxes of all classes together" if chosen.agnostic else "each class for itself"
    axes.set_title(
        f"{choice.choosing.measure.name}, at most {chosen.max_detections} detections, {boxes}\n"
        "framed: chosen; dashed: default of val",
        fontsize=9,
    )
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
    return out.getvalue()


def _label(axes: Axes, confidences: tuple[float, ...], ious: tuple[float, ...]) -> None:
    step = -(-len(confidences) // 20)
    axes.set_xticks(range(0, len(confidences), step), [f"{value:g}" for value in confidences[::step]], fontsize=8)
    axes.set_yticks(range(len(ious)), [f"{value:g}" for value in ious], fontsize=8)
    axes.set_xlabel("confidence threshold")
    axes.set_ylabel("IoU threshold of NMS")


def _write_numbers(axes: Axes, values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        ink = "white" if value < middle else "black"
        axes.text(column, row, f"{value:.4f}".lstrip("0"), ha="center", va="center", fontsize=6.5, color=ink)


def _frame(axes: Axes, choice: ThresholdChoice, settings: NmsSettings, colour: str, style: str) -> None:
    grid = choice.choosing.grid
    column, row = grid.confidences.index(settings.confidence) - 0.5, grid.ious.index(settings.iou) - 0.5
    axes.plot(
        [column, column + 1, column + 1, column, column], [row, row, row + 1, row + 1, row],
        color=colour, linestyle=style, linewidth=2, clip_on=False,
    )  # fmt: skip
