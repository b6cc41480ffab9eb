"""What the commands about finished weights show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from search.display import say

if TYPE_CHECKING:
    from trainable.nms import NmsSettings
    from trainable.predict import Summary
    from trainable.thresholds import ThresholdChoice


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


def predict_summary(console: Console, found: Summary, settings: NmsSettings, out: Path) -> None:
    """How much was predicted, with which thresholds, and what could not be read."""
    classes = ", boxes of all classes together" if settings.agnostic else ""
    say(
        console,
        f"{found.pictures} pictures, {found.boxes} boxes at {found.image_size} px: confidence {settings.confidence:g}, "
        f"IoU {settings.iou:g}, at most {settings.max_detections} a picture{classes}",
    )
    if found.unreadable:
        say(console, f"{len(found.unreadable)} pictures could not be read; they are named above")
    say(console, f"predictions: {out}")
