"""What the commands about data show: progress, tables of findings and of the balance of splits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from search.display import say

if TYPE_CHECKING:
    from data_prep.compare import Comparison
    from data_prep.findings import Finding
    from data_prep.progress import Progress as PictureProgress

_SECONDS_BETWEEN_LINES = 15.0
_CLASS_COLUMNS = 6  # classes that a screen has room for
_EXAMPLES = 20  # findings that a screen shows one by one


@contextmanager
def picture_progress(console: Console) -> Iterator[PictureProgress]:
    """A bar with an ETA per stage on a terminal; elsewhere plain lines, one per stage and some in between."""
    if not console.is_terminal:
        yield _PlainProgress(console)
        return
    columns = (TextColumn("{task.description:>6}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            # A stage that begins anew (a second source) gets a new bar.
            if stage not in tasks or done < bars.tasks[tasks[stage]].completed:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total, visible=done < total)

        yield show


class _PlainProgress:
    """Says that a stage ended, and in a long one how far it is."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._began = self._said = 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage or done <= 1:
            self._stage, self._began, self._said = stage, now, now
        if done == total:
            say(self._console, f"{stage}: {total} done")
        elif now - self._said > _SECONDS_BETWEEN_LINES:
            self._said = now
            left = timedelta(seconds=round((now - self._began) / done * (total - done)))
            say(self._console, f"{stage}: {done} of {total}, {left} left")


def dataset_summary(console: Console, data: Path) -> None:
    """Pictures and boxes per split of a prepared data set, and what was found on the way."""
    from data_prep.manifest import read_manifest
    from data_prep.reports import BALANCE_CSV, FINDINGS_CSV
    from data_prep.split import Split

    manifest = read_manifest(data.parent)
    if manifest is not None:
        columns = manifest.names if len(manifest.names) <= _CLASS_COLUMNS else ("boxes",)
        table = Table("split", "images", "background", *map(escape, columns), title=escape(str(data.parent)))
        for name in (split.value for split in Split if split.value in manifest.splits):
            found = manifest.splits[name]
            boxes = [found.boxes[class_name] for class_name in manifest.names]  # the file has them sorted by name
            table.add_row(name, *map(str, (found.images, found.background, *_fitting(boxes))))
        console.print(table)
        counts = [(kind, policy, n) for kind, by in manifest.findings.items() for policy, n in by.items()]
        for kind, policy, count in counts:
            say(console, f"{kind}: {count} ({policy})")
        if counts:
            say(console, f"findings: {data.with_name(FINDINGS_CSV)}")
        say(console, f"balance: {data.with_name(BALANCE_CSV)}")
    say(console, f"data set: {data}")


def _fitting(boxes: Sequence[int]) -> Sequence[int]:
    """One column per class, or their sum where they are too many for a screen."""
    return boxes if len(boxes) <= _CLASS_COLUMNS else [sum(boxes)]


def findings_summary(console: Console, findings: Sequence[Finding]) -> None:
    """How many findings there are of each kind, and the gravest of them."""
    from data_prep.findings import Severity
    from data_prep.reports import count_findings

    order = list(Severity)
    severity = {finding.kind.value: finding.severity for finding in findings}
    table = Table("kind", "severity", "policy", "findings")
    counts = count_findings(findings)
    for kind in sorted(counts, key=lambda name: (order.index(severity[name]), name)):
        for policy, count in counts[kind].items():
            table.add_row(kind, severity[kind].value, policy, str(count))
    if counts:
        console.print(table)
    gravest = sorted(findings, key=lambda finding: order.index(finding.severity))[:_EXAMPLES]
    for finding in gravest:
        say(console, f"{finding.severity}: {finding.kind}: {finding.file}: {finding.detail}")
    if len(findings) > len(gravest):
        say(console, f"... and {len(findings) - len(gravest)} more; --out FILE writes all of them")


def comparison_summary(console: Console, found: Comparison) -> None:
    """Sizes and label shares of every split, the largest deviations, and what leaks."""
    balance = found.balance
    splits = [row.split for row in balance.sizes]
    table = Table("label", "images", *(f"{split}" for split in splits))
    for label in dict.fromkeys(row.label for row in (*balance.sizes, *balance.rows)):
        rows = {row.split: row for row in (*balance.sizes, *balance.rows) if row.label == label}
        whole = max(row.whole for row in rows.values())
        cells = (f"{100 * rows[split].share:.1f} %" if split in rows else "" for split in splits)
        table.add_row(escape(label), str(whole), *cells)
    console.print(table)
    for row in balance.worst:
        size = next(item for item in balance.sizes if item.split == row.split)
        say(
            console,
            f"{row.split}: {size.images} of {size.whole} pictures; largest deviation {abs(row.deviation):.2f} points "
            f"from {100 * row.expected:.1f} % ({row.label})",
        )
    for leak in found.leaks[:_EXAMPLES]:
        say(console, f"leak: {leak.file} {leak.detail}")
    if len(found.leaks) > _EXAMPLES:
        say(console, f"... and {len(found.leaks) - _EXAMPLES} more; --json lists all of them")
    say(console, f"{len(found.leaks)} pictures look the same as one of another split")
    if found.split_groups is not None:
        say(console, f"{found.split_groups} groups stand on more than one side")
    if found.left_out:
        say(console, f"{found.left_out} findings took something out; `hypsweep check` lists them")
