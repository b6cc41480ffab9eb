"""Pictures to look at: the gravest errors of each kind, and labels that are likely to be missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from data_prep.eda.sheets import Wanted
from data_prep.records import Box, ImageRecord, Source
from trainable.error_analysis.analysis import Analysis
from trainable.error_analysis.kinds import Kind
from trainable.error_analysis.matching import NONE
from trainable.error_analysis.missing import Missing
from trainable.error_analysis.pictures import Floats, Picture, area

EXAMPLES = 8
"""Of each kind of error."""
SHEET = 60
"""Pictures on the contact sheet of missing labels."""
_ROOM = 2.5  # sides of a view, in sides of what it shows
_LEAST_VIEW = 0.4  # of the picture's sides


def error_examples(found: Analysis, kind: Kind) -> list[Wanted]:
    """Errors of a kind at the working point: the most confident ones; of the missed labels the largest."""
    verdicts, pictures = found.working_verdicts, found.working_pictures
    if kind is Kind.MISSED:
        rows = np.flatnonzero(verdicts.missed)
        where = [(pictures[verdicts.label_picture[row]], int(verdicts.label_row[row])) for row in rows]
        areas = [float(area(picture.label_boxes[row : row + 1])[0]) for picture, row in where]
        order = np.argsort([-each for each in areas], kind="stable")[:EXAMPLES]
        return [_missed(found, *where[place]) for place in order]
    return [_detected(found, int(row)) for row in np.flatnonzero(verdicts.kinds == kind)[:EXAMPLES]]


def missing_sheet(found: Analysis) -> list[Wanted]:
    """The pictures with likely missing labels, those with the most confident one first."""
    pictures = {picture.file: picture for picture in found.pictures}
    by_file: dict[str, list[Missing]] = {}
    for each in found.missing:
        by_file.setdefault(each.file, []).append(each)
    sheet = []
    for file, rows in list(by_file.items())[:SHEET]:
        said = ", ".join(f"{found.names[row.kind]} {row.confidence:.2f}" for row in rows)
        sheet.append(_wanted(pictures[file], [row.box for row in rows], said))
    return sheet


def _detected(found: Analysis, row: int) -> Wanted:
    verdicts = found.working_verdicts
    picture, own, label = found.working_pictures[verdicts.picture[row]], verdicts.row[row], verdicts.labels[row]
    said = f"{found.names[verdicts.predicted[row]]} {verdicts.confidences[row]:.2f}"
    if label != NONE:
        said += f", labelled {found.names[verdicts.label_kinds[label]]}"
    overlap = picture.overlap[own].max(initial=0.0)
    return _wanted(picture, [tuple(picture.boxes[own].tolist())], f"{said}, IoU {overlap:.2f}")


def _missed(found: Analysis, picture: Picture, row: int) -> Wanted:
    return _wanted(picture, [tuple(picture.label_boxes[row].tolist())], found.names[picture.label_kinds[row]])


def _wanted(picture: Picture, marked: Sequence[tuple[float, ...]], said: str) -> Wanted:
    path, (width, height) = Path(picture.file), picture.size
    boxes = tuple(_boxes(picture.label_kinds.tolist(), picture.label_boxes.tolist()))
    record = ImageRecord(path.stem, Source(path), width, height, boxes)
    marks = tuple(_boxes([0] * len(marked), marked))
    return Wanted(record, f"{said}: {path.name}", marked=marks, view=_view(np.array(marked), width, height))


def _boxes(kinds: Iterable[int], boxes: Iterable[Sequence[float]]) -> Iterable[Box]:
    for kind, (x1, y1, x2, y2) in zip(kinds, boxes, strict=True):
        yield Box(kind, x1, y1, x2, y2)


def _view(boxes: Floats, width: int, height: int) -> Box | None:
    """The part of a picture around some boxes (n, 4); None where that is most of it."""
    low, high, sides = boxes[:, :2].min(0), boxes[:, 2:].max(0), np.array((width, height))
    wanted = np.maximum(_ROOM * (high - low), _LEAST_VIEW * sides)
    if (wanted > 0.8 * sides).any():
        return None
    start = ((low + high - wanted) / 2).clip(0, sides - wanted)
    return Box(0, *start.tolist(), *(start + wanted).tolist())
