"""What the command line shows of a confirmation."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from search.confirm.result import Confirmation, Row
from search.confirm.verdict import Verdict
from search.samplers.keys import START


def confirmation_summary(console: Console, found: Confirmation) -> None:
    """The table of hyps, what was lost, rank correlations, the verdict and what to do next."""
    console.print(_table(found))
    for line in (*found.failures, *map(str, found.ranks), *verdict_lines(found)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def verdict_lines(found: Confirmation) -> list[str]:
    """The verdict and the next command."""
    after = f"after {found.look} seeds"
    if found.verdict == Verdict.PROMOTE and found.trial is not None:
        row = found.row(found.trial)
        gain = "" if row.gain is None else f": {row.gain:+.4g} over the default, at least {row.lower:+.4g}"
        return [f"promote: trial {found.trial} {after}{gain}", f"finish it: hypsweep promote {found.run_dir}"]
    if found.verdict == Verdict.KEEP_DEFAULT:
        why = f"no candidate is better by {found.smallest_gain:g}" if found.look else "there is no other hyp to compare"
        return [f"keep default {after}: {why}", f"finish it: hypsweep promote {found.run_dir}"]
    return [
        f"undecided {after}: the seeds do not tell the best from the default",
        f"add seeds: {found.next_command}",
        f"or choose: hypsweep promote {found.run_dir} --trial N (0 is the default)",
    ]


def _table(found: Confirmation) -> Table:
    title = f"{found.metric} after {found.epochs} epochs"
    title += "" if found.sd is None else f", sd of one training {found.sd:.2g}"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("trial", "swept", "seeds", "mean", "sd", "gain", "interval", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    for row in found.rows:
        interval = "" if row.lower is None else f"{row.lower:+.4f} .. {row.upper:+.4f}"
        cells = [_cell(row.swept), str(row.seeds), _cell(row.mean), _cell(row.sd)]
        gain = "" if row.gain is None else f"{row.gain:+.4f}"
        name = "default" if row.trial == START else str(row.trial)
        style = "bold" if row.trial == found.trial else None
        table.add_row(name, *cells, gain, interval, _word(found, row), style=style)
    return table


def _word(found: Confirmation, row: Row) -> str:
    if row.lost:
        return f"lost {row.lost}"
    if row.trial == found.trial:
        return "kept" if row.trial == START else str(found.verdict)
    if row.upper is not None and row.upper < found.smallest_gain:
        return "no gain"
    return ""


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
