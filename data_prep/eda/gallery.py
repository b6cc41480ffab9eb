"""Which plots an EDA has."""

from __future__ import annotations

from collections import Counter

import numpy as np

from data_prep.eda.charts import (
    Chart,
    area_chart,
    counts_chart,
    place_chart,
    ratio_chart,
    size_chart,
    small_chart,
)
from data_prep.eda.summary import SMALL_AREA, EdaSummary, thresholds_of
from data_prep.eda.tables import BOXES_OF, Tables
from data_prep.labels import Stratification

#: Classes that get plots of their own: those with the most boxes. The tables have all.
CHART_CLASSES = 8


def build_charts(tables: Tables, summary: EdaSummary, stratification: Stratification) -> dict[str, list[Chart]]:
    """Return the plots by the section that they stand in; a section without boxes to plot has none."""
    charts: dict[str, list[Chart]] = {"sizes": [], "counts": [], "ratio": [], "area": [], "small": [], "places": []}
    if summary.images:
        charts["sizes"].append(_sizes(tables))
    if summary.boxes:
        charts["places"].append(_places(tables, None))
    for class_id in largest_classes(summary)[:CHART_CLASSES]:
        for section, chart in _class_charts(tables, class_id, stratification).items():
            charts[section].append(chart)
    if len(charts["places"]) == 2:
        del charts["places"][1]  # the one class is all of them
    return charts


def largest_classes(summary: EdaSummary) -> list[int]:
    """Return the ids of the classes that have boxes, those with the most first."""
    counts = list(summary.boxes_of_class.values())
    return sorted((index for index, count in enumerate(counts) if count), key=lambda index: -counts[index])


def _class_charts(tables: Tables, class_id: int, stratification: Stratification) -> dict[str, Chart]:
    title = tables.names[class_id]
    boxes = tables.boxes[tables.boxes["class_id"] == class_id]
    areas, ratios = boxes["area"].to_numpy(), boxes["ratio"].to_numpy()
    counts = tables.images[BOXES_OF + title].to_numpy()
    thresholds = stratification.size_thresholds
    span = (float(tables.boxes["area"].min()), float(tables.boxes["area"].max()))  # one scale for all classes
    charts = {
        "counts": counts_chart(f"counts-{class_id}", title, class_id, counts, thresholds_of(title, stratification)),
        "ratio": ratio_chart(f"ratio-{class_id}", title, class_id, ratios, stratification.ratio_threshold),
        "area": area_chart(f"area-{class_id}", title, class_id, areas, span, thresholds),
        "places": _places(tables, class_id),
    }
    if (areas <= SMALL_AREA).any():
        charts["small"] = small_chart(f"small-{class_id}", title, class_id, areas, SMALL_AREA, thresholds)
    return charts


def _places(tables: Tables, class_id: int | None) -> Chart:
    boxes = tables.boxes if class_id is None else tables.boxes[tables.boxes["class_id"] == class_id]
    images = tables.images
    aspect = float(np.median(images["height"] / np.maximum(images["width"], 1)))
    name, title = ("places", "all classes") if class_id is None else (f"places-{class_id}", tables.names[class_id])
    return place_chart(name, title, class_id, boxes["centre_x"].to_numpy(), boxes["centre_y"].to_numpy(), aspect)


def _sizes(tables: Tables) -> Chart:
    sizes = Counter(zip(tables.images["width"].tolist(), tables.images["height"].tolist(), strict=True))
    return size_chart("sizes", "the larger a dot, the more pictures", sizes)
