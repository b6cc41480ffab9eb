"""What the command line shows of a comparison."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from search.compare.result import ComparisonResult
from search.compare.words import HEAD, cells, settings, title, verdicts
from search.compare.write import TABLE


def comparison_summary(console: Console, found: ComparisonResult) -> None:
    """The table of arms, what they set, what was lost, how they stand and what to do next."""
    table = Table(title=title(found), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in HEAD:
        table.add_column(name, justify="left" if name in ("arm", "standing") else "right", no_wrap=True)
    for row in found.rows:
        table.add_row(*cells(found, row), style="bold" if row is found.reference else None)
    console.print(table)
    sets = (f"{row.arm}: {settings(row.sets)}" for row in found.rows)
    for line in (*sets, *found.failures, *verdicts(found), f"written: {found.run_dir / TABLE}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
