"""What is left of an error analysis: a page, its figures, and two lists."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_prep.durable import write_error
from data_prep.eda.markup import Cell, number
from data_prep.eda.sheets import draw_sheets
from data_prep.eda.shell import html_page
from data_prep.errors import InputError
from data_prep.files import write_atomically
from data_prep.progress import Progress
from data_prep.records import Source
from data_prep.reports import table_csv
from trainable.error_analysis import sections
from trainable.error_analysis.analysis import Analysis, as_dict
from trainable.error_analysis.examples import error_examples, missing_sheet
from trainable.error_analysis.kinds import RIGHT, Kind
from trainable.error_analysis.matching import NONE

PAGE, FIGURES, ERRORS, MISSING = "errors.html", "errors.json", "errors.csv", "missing_labels.csv"
GENERATOR = '<meta name="generator" content="hypsweep errors">'
MISSING_COLUMNS = ("file", "class", "x1", "y1", "x2", "y2", "confidence")
ERROR_COLUMNS = ("file", "kind", "class", "labelled", "x1", "y1", "x2", "y2", "confidence", "iou")
_SHEET = "missing"


def write(
    found: Analysis, about: Mapping[str, Any], root: Path, folder: Path, title: str, progress: Progress
) -> dict[str, Any]:
    """Write the lists, the figures and, last, the page into a folder.

    Args:
        found:
            The analysis.
        about:
            What it was made of.
        root:
            Folder of the data set, below which files are named.
        folder:
            Where to.
        title:
            Of the page.
        progress:
            Told of every picture that is drawn, as stage ``draw``.

    Returns:
        The content of ``errors.json``.

    Raises:
        DiskFullError, WorkFailedError: They cannot be written.
    """
    content = as_dict(found, about)
    missing = list(missing_rows(found, root))
    files = {
        MISSING: table_csv(MISSING_COLUMNS, missing),
        ERRORS: table_csv(ERROR_COLUMNS, error_rows(found, root)),
        FIGURES: json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        PAGE: _page(found, missing, title, progress),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(folder / name, text.encode())
    except OSError as error:
        raise write_error(f"{folder}: the error analysis cannot be written", error) from error
    return content


def missing_rows(found: Analysis, root: Path) -> Iterator[tuple[str, ...]]:
    """The likely missing labels as rows of :data:`MISSING_COLUMNS`, boxes in pixels, the most confident first."""
    for each in found.missing:
        yield _file(each.file, root), found.names[each.kind], *_box(each.box), f"{each.confidence:.4f}"


def error_rows(found: Analysis, root: Path) -> Iterator[tuple[str, ...]]:
    """Every error at the working confidence as a row of :data:`ERROR_COLUMNS`: the detections, then what was missed.

    ``labelled`` is the class of the label that a detection would find, were its class (its place) right; ``iou`` its
    largest overlap with any label.
    """
    verdicts, names = found.working_verdicts, found.names
    for row in (verdicts.kinds != RIGHT).nonzero()[0]:
        picture, own, label = found.working_pictures[verdicts.picture[row]], verdicts.row[row], verdicts.labels[row]
        labelled = names[verdicts.label_kinds[label]] if label != NONE else ""
        kind, said = Kind(verdicts.kinds[row]).name.lower(), names[verdicts.predicted[row]]
        figures = f"{verdicts.confidences[row]:.4f}", f"{picture.overlap[own].max(initial=0.0):.4f}"
        yield _file(picture.file, root), kind, said, labelled, *_box(picture.boxes[own]), *figures
    for row in verdicts.missed.nonzero()[0]:
        picture, own = found.working_pictures[verdicts.label_picture[row]], verdicts.label_row[row]
        box, labelled = picture.label_boxes[own], names[verdicts.label_kinds[row]]
        overlap = picture.overlap[:, own].max(initial=0.0)
        yield _file(picture.file, root), Kind.MISSED.name.lower(), "", labelled, *_box(box), "", f"{overlap:.4f}"


def _page(found: Analysis, missing: Sequence[Sequence[str]], title: str, progress: Progress) -> str:
    sheets = {kind.name: error_examples(found, kind) for kind in Kind} | {_SHEET: missing_sheet(found)}
    drawn = draw_sheets(sheets, _read, progress)
    shown = {kind: drawn[kind.name] for kind in Kind}
    built = {
        "outcome": ("Working point", sections.outcome(found)),
        "classes": ("Classes", sections.classes(found)),
        "sizes": ("Sizes", sections.sizes(found)),
        "confusion": ("Confusion matrix", sections.confusion(found)),
        "errors": ("Errors by kind", sections.errors(found)),
        "examples": ("Examples of errors", sections.examples(found, shown)),
        "missing": ("Likely missing labels", sections.missing(found, _cells(missing), drawn[_SHEET])),
    }
    return html_page(title, "errors", GENERATOR, _tiles(found), built)


def _tiles(found: Analysis) -> list[tuple[str, str]]:
    rates = {
        f"AP at IoU {found.iou:g}, mean over classes": found.mean("average_precision"),
        "precision at the working point": found.mean("precision"),
        "recall at the working point": found.mean("recall"),
    }
    tiles = [(number(len(found.pictures)), "pictures"), (number(int(found.ranking.labels.sum())), "labels")]
    tiles += [(sections.NONE if value is None else f"{value:.3f}", name) for name, value in rates.items()]
    return [*tiles, (number(len(found.missing)), "labels likely to be missing")]


def _cells(missing: Sequence[Sequence[str]]) -> list[Sequence[Cell]]:
    """The rows for the page: what one looks for first comes first."""
    return [(file, kind, confidence, *box) for file, kind, *box, confidence in missing]


def _read(source: Source) -> bytes:
    try:
        return source.path.read_bytes()
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}); check it") from error


def _file(file: str, root: Path) -> str:
    return Source(Path(file)).beside(root)


def _box(box: Sequence[float]) -> list[str]:
    return [f"{value:.1f}" for value in box]
