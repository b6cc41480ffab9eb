"""What the commands about finished models show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data_prep.names import shown
from data_prep.text import printable

if TYPE_CHECKING:
    from trainable.score import Score

_NAMES = 5  # classes that a remark has room for


def score_table(console: Console, found: Score) -> None:
    """Average precision and counts per class, their mean and sums."""
    table = Table("class", title=f"average precision at IoU {found.iou:g}")
    for name in ("AP", "answers", "predictions", "right"):
        table.add_column(name, justify="right")
    counts = [(own.answers, own.predictions, own.right) for own in found.per_class.values()]
    for (name, own), row in zip(found.per_class.items(), counts, strict=True):
        table.add_row(escape(printable(name)), f"{own.average_precision:.5f}", *map(str, row))
    table.add_section()
    table.add_row(
        "mAP", f"{found.mean_average_precision:.5f}", *(str(sum(column)) for column in zip(*counts, strict=True))
    )
    console.print(table)


def score_remarks(console: Console, found: Score, answer: Path, prediction: Path) -> None:
    """What may have lowered a score without being wrong."""
    for line in _remarks(found, answer, prediction):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _remarks(found: Score, answer: Path, prediction: Path) -> Iterator[str]:
    if found.elsewhere:
        yield f"predictions that count nowhere, on images that {answer} does not name: {found.elsewhere}"
    if found.unknown:
        names = [shown(name) for name in found.unknown]
        more = ", .." if len(names) > _NAMES else ""
        yield (
            f"predictions that count nowhere, of classes without an answer in {answer}: {sum(found.unknown.values())} "
            f"({', '.join(names[:_NAMES])}{more})"
        )
    for file, count in zip((answer, prediction), found.flat, strict=True):
        if count:
            yield f"boxes without width or height in {file}, which nothing meets: {count}"
    if not found.ordered:
        yield (
            f"{prediction} is not sorted by falling `Conf` within its images: an answer goes to the first prediction "
            "that meets it, not to the most confident one, as in map-boxes"
        )
