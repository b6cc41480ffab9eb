"""The sections of the page of an error analysis; each returns HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from data_prep.eda.charts import class_colour
from data_prep.eda.content import sheet
from data_prep.eda.markup import Cell, Heat, Share, Swatch, number, paragraph, table
from data_prep.eda.sheets import Shown
from data_prep.eda.shell import chart_row
from trainable.error_analysis.analysis import Analysis
from trainable.error_analysis.charts import MOST_CLASSES, cost_chart, count_chart, curve_charts
from trainable.error_analysis.kinds import BACKGROUND_IOU, Kind
from trainable.error_analysis.quality import Quality
from trainable.error_analysis.sizes import ALL, SIZES

NONE = "–"
_CLASSES = 20  # of a confusion matrix that can be read
_COSTS = 6  # classes whose costs stand beside the mean
_ROWS = 60  # of a long list


def meaning(kind: Kind, iou: float) -> str:
    """What a kind of error is, in one sentence."""
    low = f"{BACKGROUND_IOU:g}"
    return {
        Kind.CLASSIFICATION: f"Overlaps a label of another class by {iou:g} or more.",
        Kind.LOCALISATION: f"Right class, but it overlaps the label by {low} to {iou:g} only.",
        Kind.BOTH: f"Wrong class, and it overlaps the label by {low} to {iou:g} only.",
        Kind.DUPLICATE: "Would be right, but a more confident detection has the label already.",
        Kind.BACKGROUND: f"Overlaps no label by {low}: nothing there, or the label is missing.",
        Kind.MISSED: "A label that no detection found and that no better class or place would find.",
    }[kind]


def outcome(found: Analysis) -> str:
    """At which point the figures stand, and how to read them."""
    working = found.working
    confidence = working.confidence or 0.0
    together = ", boxes of all classes together" if working.nms.agnostic else ""
    return paragraph(
        f"Working confidence {confidence:g}, from {working.confidence_from}.",
        f"NMS at IoU {working.nms.iou:g}, at most {working.nms.max_detections} boxes a picture{together}, "
        f"from {working.nms_from}.",
    ) + paragraph(
        f"A prediction is right where it overlaps a free label of its class by at least {found.iou:g} (IoU); the "
        "most confident one chooses first. Precision, recall, the confusion matrix and the errors count what is "
        "above the working confidence. Average precision (AP) and the costs of errors count all confidences: AP is "
        "the exact area below the best precision at each recall."
    )


def classes(found: Analysis) -> str:
    """Precision, recall and AP of each class."""
    rows = [(_name(found, kind), *_figures(found.quality[ALL.name][kind])) for kind in found.shown]
    head = ("class", "labels", "predictions", "right", "precision", "recall", "AP")
    more = f"Plotted are the {MOST_CLASSES} classes with the most labels." if len(found.labelled) > MOST_CLASSES else ""
    note = "Precision by recall, all confidences; the dot is the working point, the area is AP."
    return table(head, rows) + paragraph(note, more) + chart_row(curve_charts(found))


def sizes(found: Analysis) -> str:
    """The same by size of the object."""
    intro = (
        "COCO's sizes, by the area of the box in pixels of the picture itself: small up to 32² px², medium up to 96² "
        "px², large above. As in pycocotools, labels of another size count neither as found nor as missed, and so do "
        "predictions that found one of them, or that found none and are of another size themselves."
    )
    rows: list[Sequence[Cell]] = []
    for kind in found.labelled:
        rows += [
            (_name(found, kind), size.name, *_figures(found.quality[size.name][kind]))
            for size in SIZES
            if found.quality[size.name][kind].labels or found.quality[size.name][kind].predictions
        ]
    return paragraph(intro) + table(
        ("class", "size", "labels", "predictions", "right", "precision", "recall", "AP"), rows
    )


def confusion(found: Analysis) -> str:
    """What was taken for what."""
    columns, totals = found.shown[:_CLASSES], found.confusion.sum(0)
    true = [kind for kind in columns if totals[kind]]
    rows: list[Sequence[Cell]] = []
    for said in (*columns, -1):
        name = _name(found, said) if said >= 0 else Swatch("(missed)", "var(--note)")
        cells = [Heat(int(found.confusion[said, kind]), int(totals[kind]), bad=said != kind) for kind in true]
        background: Cell = Heat(int(found.confusion[said, -1]), int(totals[-1]), bad=True) if said >= 0 else ""
        rows.append((name, *cells, background))
    more = f"Shown are the {_CLASSES} classes with the most labels." if len(found.shown) > _CLASSES else ""
    intro = (
        "Rows: what was said; columns: what is labelled, with the share of the column. Boxes are paired by overlap "
        "alone, as YOLOv5 does it. Last column: said where nothing is labelled. Last row: labelled and not found."
    )
    head = ("said", *(found.names[kind] for kind in true), "(background)")
    return paragraph(intro, more) + table(head, rows)


def errors(found: Analysis) -> str:
    """How many errors there are of each kind, and what they cost."""
    shown = found.labelled if 1 < len(found.labelled) <= _COSTS else []
    total = sum(found.working_verdicts.count(kind) for kind in Kind)
    rows: list[Sequence[Cell]] = []
    for kind in Kind:
        count = found.working_verdicts.count(kind)
        costs = [found.cost(kind), *(float(found.costs[kind][each]) for each in shown)]
        figures = (f"{cost:+.3f}" for cost in costs)
        rows.append((kind.name.lower(), count, Share(count, total), *figures, meaning(kind, found.iou)))
    intro = (
        "Each wrong prediction has exactly one kind (TIDE, Bolya et al. 2020). The cost is what AP would gain were "
        "that kind alone mended: a wrong class or place is put right (or dropped, where its label is found already), "
        "the others are dropped, missed labels are not asked for. Costs do not add up: to mend one kind changes what "
        "the others cost."
    )
    head = ("kind", "errors", "share", "cost", *(f"cost, {found.names[kind]}" for kind in shown), "what it is")
    return paragraph(intro) + chart_row([cost_chart(found), count_chart(found)]) + table(head, rows)


def examples(found: Analysis, shown: Mapping[Kind, Sequence[Shown]]) -> str:
    """Pictures of each kind of error."""
    intro = (
        "Yellow: the error, the most confident ones first; of the missed labels the largest. Thin: the labels, in the "
        "colours of their classes. Small ones are enlarged."
    )
    parts = [
        f"<h3>{kind.name.capitalize()}</h3>" + paragraph(meaning(kind, found.iou)) + sheet(pictures)
        for kind, pictures in shown.items()
        if pictures
    ]
    return paragraph(intro) + "".join(parts) if parts else paragraph("There is no error at the working confidence.")


def missing(found: Analysis, rows: Sequence[Sequence[Cell]], shown: Sequence[Shown]) -> str:
    """Labels that are likely to be missing."""
    rules = found.rules
    intro = (
        f"Predictions that lie clear of every label (IoU below {rules.clear_iou:g}, neither a part of one nor around "
        f"several), that NMS keeps at every IoU from {min(rules.nms_ious):g} to "
        f"{max(rules.nms_ious):g}, and that are so confident that {100 * rules.precision:g} % of such predictions of "
        f"the class are right at IoU {rules.match_iou:g}."
    )
    least = [
        (_name(found, kind), _least(float(found.least[kind])), sum(each.kind == kind for each in found.missing))
        for kind in found.labelled
    ]
    more = f"The first {_ROWS} of {number(len(rows))}; missing_labels.csv has all." if len(rows) > _ROWS else ""
    pictures = len({each.file for each in found.missing})
    on_sheet = f"{len(shown)} of {pictures} pictures." if len(shown) < pictures else ""
    legend = "Yellow: what may lack a label. Thin: the labels that are there." if shown else ""
    return (
        paragraph(intro)
        + table(("class", "least confidence", "likely missing"), least)
        + (paragraph(legend, on_sheet) + sheet(shown))
        + paragraph(more)
        + table(("picture", "class", "confidence", "x1", "y1", "x2", "y2"), rows[:_ROWS])
    )


def _least(confidence: float) -> str:
    return f"{confidence:.3f}" if np.isfinite(confidence) else "none is enough"


def _name(found: Analysis, kind: int) -> Swatch:
    return Swatch(found.names[kind], class_colour(kind))


def _figures(quality: Quality) -> tuple[Cell, ...]:
    area = quality.average_precision
    return (
        quality.labels,
        quality.predictions,
        quality.right,
        Share(quality.right, quality.predictions) if quality.predictions else NONE,
        Share(quality.right, quality.labels) if quality.labels else NONE,
        Share(round(1000 * area), 1000) if area is not None else NONE,
    )
