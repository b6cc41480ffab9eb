"""What the commands about finished weights and their predictions show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data_prep.names import shown
from data_prep.text import printable
from search.display import say

if TYPE_CHECKING:
    from trainable.error_analysis import Analysis
    from trainable.export import OnnxExport
    from trainable.nms import NmsSettings
    from trainable.predict import Summary
    from trainable.score import Score
    from trainable.thresholds import ThresholdChoice

_NAMES = 5  # classes that a remark has room for
_CLASSES = 20  # classes that a table on a screen has room for


def thresholds_summary(console: Console, choice: ThresholdChoice, folder: Path) -> None:
    """The chosen settings beside the defaults, the gain with its interval, and what to know before taking them."""
    metric = choice.choosing.measure.name
    table = Table("", "default", "chosen")
    settings = [judged.settings for judged in (choice.default, choice.chosen)]
    table.add_row("confidence", *(f"{each.confidence:g}" for each in settings))
    table.add_row("IoU of NMS", *(f"{each.iou:g}" for each in settings))
    table.add_row("detections", *(str(each.max_detections) for each in settings))
    table.add_row("classes", *("together" if each.agnostic else "apart" for each in settings))
    figures = [
        {metric: judged.value, **vars(judged.metrics), "score75": judged.score75}
        for judged in (choice.default, choice.chosen)
    ]
    for name in figures[0]:
        table.add_row(name, *(f"{each[name]:.4f}" for each in figures))
    console.print(table)
    gain = choice.gain
    say(
        console,
        f"gain in {metric} on images that it was not chosen on: {gain.value:+.4f} (95 % interval {gain.low:+.4f} to "
        f"{gain.high:+.4f}); on those that it was chosen on: {gain.apparent:+.4f}",
    )
    for note in choice.notes:
        say(console, f"note: {note}")
    say(console, f"thresholds: {folder / 'thresholds.yaml'}")


def errors_summary(console: Console, found: Analysis, folder: Path) -> None:
    """Figures per class, errors by kind with their costs, and where to read on."""
    from trainable.error_analysis.kinds import Kind
    from trainable.error_analysis.sizes import ALL

    table = Table("class")
    for name in ("labels", "precision", "recall", f"AP at IoU {found.iou:g}"):
        table.add_column(name, justify="right")
    for kind in found.shown[:_CLASSES]:
        own = found.quality[ALL.name][kind]
        figures = (own.precision, own.recall, own.average_precision)
        table.add_row(escape(printable(found.names[kind])), str(own.labels), *map(_rate, figures))
    table.add_section()
    means = [found.mean(name) for name in ("precision", "recall", "average_precision")]
    table.add_row("mean", str(int(found.ranking.labels.sum())), *map(_rate, means))
    console.print(table)
    costs = Table("error")
    for name in ("errors", "cost in AP"):
        costs.add_column(name, justify="right")
    for kind in Kind:
        costs.add_row(kind.name.lower(), str(found.working_verdicts.count(kind)), f"{found.cost(kind):.4f}")
    console.print(costs)
    working = found.working
    say(console, f"precision, recall and errors at confidence {working.confidence:g}, from {working.confidence_from}")
    say(console, f"NMS at IoU {working.nms.iou:g}, from {working.nms_from}")
    say(console, f"labels that are likely to be missing: {len(found.missing)}, {folder / 'missing_labels.csv'}")
    say(console, f"page: {folder / 'errors.html'}")


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def predict_summary(
    console: Console, found: Summary, settings: NmsSettings, out: Path, thresholds: Path | None = None
) -> None:
    """How much was predicted, with which thresholds, where they come from, and what could not be read."""
    classes = ", boxes of all classes together" if settings.agnostic else ""
    say(
        console,
        f"{found.pictures} pictures, {found.boxes} boxes at {found.image_size} px: confidence {settings.confidence:g}, "
        f"IoU {settings.iou:g}, at most {settings.max_detections} a picture{classes}",
    )
    if thresholds is not None:
        say(console, f"thresholds: {thresholds}")
    if found.unreadable:
        say(console, f"{len(found.unreadable)} pictures could not be read; they are named above")
    say(console, f"predictions: {out}")


def onnx_summary(console: Console, found: OnnxExport) -> None:
    """What the file takes, how far it is off PyTorch, and where it lies."""
    check, (height, width) = found.check, found.image_size
    size = (
        f"images of any number and size (traced at {width}x{height})" if found.dynamic else f"an image {width}x{height}"
    )
    say(console, f"input: {size}, {'float16' if found.half else 'float32'}, between 0 and 1; output: boxes before NMS")
    tried = f"noise and pictures ({check.pictures})" if check.pictures else "noise alone; try --pictures"
    say(
        console,
        f"off PyTorch: at most {check.boxes:.2g} px (allowed {check.allowed.boxes:g}; {check.compared} boxes) "
        f"and {check.confidences:.2g} in confidence (allowed {check.allowed.confidences:g}), on {tried}",
    )
    say(console, f"onnx: {found.path} ({found.megabytes:.1f} MB)")


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
