"""The sections of the page that count pictures and boxes; each returns HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from data_prep.eda.content import Content, charts, class_name
from data_prep.eda.gallery import CHART_CLASSES, largest_classes
from data_prep.eda.markup import Cell, Part, Share, number, paragraph, table
from data_prep.eda.summary import RATIO_NAMES, SMALL_AREA
from data_prep.eda.tables import BOXES_OF
from data_prep.labels import SIZE_NAMES


def classes(content: Content) -> str:
    """Count boxes and pictures of each class."""
    summary = content.summary
    rows = []
    for class_id, name in enumerate(content.tables.names):
        boxes, images = summary.boxes_of_class[name], summary.images_of_class[name]
        shares = (Share(boxes, summary.boxes), images, Share(images, summary.images))
        rows.append((class_id, class_name(content, class_id), boxes, *shares, boxes / images if images else 0.0))
    head = ("id", "class", "boxes", "share of boxes", "pictures with it", "share of pictures", "boxes in each")
    return table(head, rows)


def splits(content: Content) -> str:
    """Count pictures and boxes of each split."""
    summary, names = content.summary, content.tables.names
    if not summary.splits:
        return paragraph("The data has no splits.")
    rows: list[Sequence[Cell]] = []
    for label, key in (("pictures", "images"), ("without boxes", "background"), ("boxes", "boxes")):
        rows.append((label, *(counts[key] for counts in summary.splits.values())))
    for class_id, name in enumerate(names):
        rows.append((class_name(content, class_id), *(counts[BOXES_OF + name] for counts in summary.splits.values())))
    overlap = sum(counts["images"] for counts in summary.splits.values()) > summary.images
    note = "Some splits share pictures, as mini_train and full do with train." if overlap else ""
    return paragraph(note) + table(("", *summary.splits), rows)


def sizes(content: Content) -> str:
    """Count the sizes of pictures."""
    found = content.summary.image_sizes
    rows = [(size, count, Share(count, content.summary.images)) for size, count in list(found.items())[:12]]
    more = f"The {len(rows)} most frequent of {len(found)} sizes." if len(found) > len(rows) else ""
    listing = table(("width x height, px", "pictures", "share"), rows)
    return f'<div class="pair">{charts(content, "sizes")}<div>{paragraph(more)}{listing}</div></div>'


def counts(content: Content) -> str:
    """Count pictures by their number of boxes."""
    rows = []
    for class_id, name in enumerate(content.tables.names):
        images = content.summary.images_of_class[name]
        for label, count in content.summary.count_bins[name].items():
            rows.append((class_name(content, class_id), label, count, Share(count, images)))
    intro = "Pictures by their number of boxes of a class; those without any are left out. Dashed: borders of the bins."
    head = ("class", "bin", "pictures", "share of pictures with the class")
    return paragraph(intro, _limit(content)) + charts(content, "counts") + table(head, rows)


def ratios(content: Content) -> str:
    """Count boxes by their shape."""
    threshold = content.stratification.ratio_threshold
    intro = (
        f"A box is horizontal where width / (width + height) is at least {threshold:g}, vertical where it is at most "
        f"{1 - threshold:g}, else square. Dashed: these borders."
    )
    listing = _class_table(content, content.summary.ratio_classes, RATIO_NAMES)
    return paragraph(intro, _limit(content)) + charts(content, "ratio") + listing


def areas(content: Content) -> str:
    """Count boxes by their size."""
    borders = ", ".join(number(area) for area in content.stratification.size_thresholds)
    intro = f"Six classes of area, with borders at {borders} px² (dashed); the scale is logarithmic."
    listing = _class_table(content, content.summary.size_classes, SIZE_NAMES)
    return paragraph(intro, _limit(content)) + charts(content, "area") + listing


def small(content: Content) -> str:
    """Look at the small boxes in detail."""
    boxes = content.tables.boxes
    borders = [0, *(area for area in content.stratification.size_thresholds if area < SMALL_AREA), SMALL_AREA]
    rows: list[Sequence[Cell]] = []
    for class_id, name in enumerate(content.tables.names):
        parts = np.histogram(boxes["area"][boxes["class_id"] == class_id], borders)[0].tolist()
        count = content.summary.small_boxes[name]
        share = Share(count, content.summary.boxes_of_class[name])
        rows.append((class_name(content, class_id), count, share, *parts))
    ranges = [f"{number(low)} to {number(high)}" for low, high in pairwise(borders)]
    head = ("class", f"up to {number(SMALL_AREA)} px²", "share of the class", *ranges)
    return paragraph(_limit(content)) + charts(content, "small") + table(head, rows)


def places(content: Content) -> str:
    """Show where boxes lie in the picture."""
    intro = "Centres of the boxes, as shares of width and height; the colour counts boxes, on a square-root scale."
    return paragraph(intro, _limit(content)) + charts(content, "places")


def _class_table(content: Content, counts: Mapping[str, Mapping[str, int]], labels: Sequence[str]) -> str:
    rows: list[Sequence[Cell]] = []
    for class_id, name in enumerate(content.tables.names):
        total = content.summary.boxes_of_class[name]
        rows.append((class_name(content, class_id), *(Part(counts[name][label], total) for label in labels)))
    return table(("class", *labels), rows)


def _limit(content: Content) -> str:
    present = len(largest_classes(content.summary))
    if present <= CHART_CLASSES:
        return ""
    return f"Plotted are the {CHART_CLASSES} of {present} classes with the most boxes; the table has all."
