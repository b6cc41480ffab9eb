"""The table that a dry run prints."""

from __future__ import annotations

from datetime import timedelta

from rich import box
from rich.console import Console
from rich.table import Table

from search.budget.dry_run import Estimate, Verdict

_MB, _GIB = 10**6, 2**30


def estimate_table(console: Console, estimate: Estimate) -> None:
    """What a sweep will take, each budget beside it, and what was measured for that."""
    table = Table(title=f"sweep {estimate.config.name}, dry run", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("", "expected", "budget", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    verdicts = {verdict.name: verdict for verdict in estimate.verdicts}
    for name, expected in _rows(estimate).items():
        verdict = verdicts.pop(name, None)
        table.add_row(name, expected, *_budget_cells(verdict))
    for name, verdict in verdicts.items():  # what nobody can know before
        table.add_row(name, "?", *_budget_cells(verdict))
    console.print(table)
    for line in _notes(estimate):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _rows(estimate: Estimate) -> dict[str, str]:
    expected, measured = estimate.expected, estimate.measured
    spread = f" ({expected.least:.0f} to {expected.most:.0f})" if expected.most > expected.least else ""
    gpu = "no GPU here"
    if measured.gpu_memory_peak and measured.gpu_memory_total:
        gpu = f"{measured.gpu_memory_peak / _GIB:.1f} of {measured.gpu_memory_total / _GIB:.1f} GiB a trial"
    return {
        "trials": str(estimate.config.trials),
        "epochs": f"{expected.epochs:.0f}{spread}",
        "hours": f"{estimate.hours:.3g}",
        "gpu_hours": f"{estimate.gpu_hours:.3g}",
        "disk": f"{estimate.disk_bytes / _MB:.0f} MB",
        "GPU memory": gpu,
    }


def _budget_cells(verdict: Verdict | None) -> tuple[str, str]:
    if verdict is None:
        return "", ""
    if verdict.expected is None:
        return f"{verdict.budget:g}", "ends it when reached"
    over = verdict.expected - verdict.budget
    return f"{verdict.budget:g}", "fits" if verdict.fits else f"exceeds by {over:.3g}: the sweep will end there"


def _notes(estimate: Estimate) -> list[str]:
    found, config = estimate.measured, estimate.config
    epoch = f"an epoch {found.epoch_seconds:.2f} s"
    checkpoint = f"a checkpoint {found.checkpoint_seconds:.2f} s and {found.checkpoint_bytes / _MB:.1f} MB"
    starts = f"the first start {found.start_seconds:.1f} s, the next trial in its process {found.restart_seconds:.1f} s"
    images = f", {found.image_bytes / _MB:.0f} MB of decoded images" if found.image_bytes else ""
    notes = [
        f"measured, {found.at_a_time} at a time: {epoch}, {checkpoint}, {starts}",
        f"{estimate.slots} at a time; {estimate.checkpoints} checkpoints when they are most{images}",
    ]
    if found.image_seconds >= 1:
        seconds = timedelta(seconds=round(found.image_seconds))
        notes.append(f"decoding the images took {seconds}; they are kept, so the sweep does not do it again")
    asked = config.settings().batch_size
    if "batch_size" not in estimate.searched and found.batch_size is not None and found.batch_size < asked:
        notes.append(f"GPU memory allows a batch of {found.batch_size} instead of {asked}")
    if estimate.searched:
        values = ", ".join(f"{name} {value}" for name, value in estimate.searched.items())
        notes.append(f"searched, and measured for trial 0 alone ({values}): other values take more or less")
    return notes
