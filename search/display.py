"""What the command line shows before, during and after the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from search.edges import edge_lines
from search.options import Options
from search.samplers.keys import START

if TYPE_CHECKING:
    from search.conclusion import SweepResult
    from search.known.report import ImportReport
    from search.promote import Promotion
    from search.status import SweepStatus

QUALITY = ("map50", "map75", "map50_95", "precision", "recall")


def sweep_options(console: Console, address: str | None) -> Options:
    """A sweep that shows its progress on ``console``."""
    return Options(address=address, console=console)


def say(console: Console, line: str) -> None:
    """Print one line as it is: no markup, no wrapping, so that a path can be copied."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def sweep_summary(console: Console, result: SweepResult, *, promoted: bool = False) -> None:
    """How a sweep ended, what it found and what to do next."""
    from search.results import beside_default

    say(console, _counts(result.states))
    if result.best is not None:
        best = result.best
        after = f"after {best.epoch} epochs ({result.path} path)"
        say(console, f"best: trial {best.trial.number}, {best.value:.5g} {after}")
        say(console, f"      {beside_default(best)}")
        say(console, f"hyp:         {result.run_dir / 'best_hyp.yaml'}")
        say(console, f"results:     {result.run_dir / 'results.csv'}")
        say(console, f"tensorboard: tensorboard --logdir {result.run_dir / 'tensorboard'}")
    _front(console, result.front)
    if result.front:
        say(console, f"front:       {result.run_dir / 'front.csv'}")
        say(console, f"results:     {result.run_dir / 'results.csv'}")
        say(console, f"tensorboard: tensorboard --logdir {result.run_dir / 'tensorboard'}")
    if result.usage is not None and result.usage.trials:
        say(console, f"checkpoints: {result.usage}")
    for smaller in result.smaller_batches:
        say(console, str(smaller))
    for line in edge_lines(result.edges, result.run_dir):
        say(console, line)
    if result.interrupted:
        say(console, f"stopped before its end; go on with: {result.resume_command}")
    if result.ended is not None:
        more = (
            "" if result.ended.final else f"; go on with: {result.resume_command} --budget {result.ended.budget}=MORE"
        )
        say(console, f"ended: {result.ended.sentence}{more}")
    if not result.interrupted and result.best is not None and not promoted:
        say(console, f"finish it:   hypsweep promote {result.run_dir}")
    if not result.interrupted and result.front and not promoted:
        say(console, f"finish one:  hypsweep promote {result.run_dir} --trial N")


def import_summary(console: Console, report: ImportReport) -> None:
    """What came in, what did not and why, and how the trials that wait are started."""
    for imported in report.sources:
        for line in imported.lines():
            say(console, line)
    if report.waiting:
        beyond = f", {report.lacking} of them beyond those that were planned" if report.lacking else ""
        say(console, f"{_plural(report.waiting, 'trial')} waiting{beyond}: {report.next_command}")


def final_start(console: Console) -> Callable[[int, int], None]:
    """Says which final training begins; it takes a while until its first epoch is done."""

    def show(trial: int, epochs: int) -> None:
        say(console, f"training the hyp of trial {trial} on the full data set ({_plural(epochs, 'epoch')})")

    return show


def final_epochs(console: Console) -> Callable[[dict[str, Any]], None]:
    """Prints a line per epoch of a final training, with the time left."""
    seconds: list[float] = []

    def show(metrics: dict[str, Any]) -> None:
        seconds.append(metrics["epoch_seconds"])
        losses = ", ".join(f"{name} {metrics[f'train_{name}_loss']:.4f}" for name in ("box", "obj", "cls"))
        left = timedelta(seconds=round((metrics["epochs"] - metrics["epoch"]) * median(seconds)))
        together = f", {metrics['workers']} workers" if metrics.get("workers", 1) > 1 else ""
        say(console, f"epoch {metrics['epoch']}/{metrics['epochs']}: losses {losses}{together}, ETA {left}")

    return show


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def promotion_summary(console: Console, promotion: Promotion) -> None:
    """The finished weights and what is known of them."""
    metrics, kept = promotion.metrics, promotion.confirmation and promotion.confirmation.trial == START
    name = "the default hyp (trial 0), which no trial beats" if kept else f"trial {promotion.trial}"
    say(console, f"promoted {name}: {_plural(metrics['epochs'], 'epoch')} on the full data set")
    if metrics["test"] is None:
        say(console, "figures: none, the data set has no test split, and the model was trained on all the rest")
    else:
        say(console, "on the test split: " + ", ".join(f"{name} {metrics['test'][name]:.4f}" for name in QUALITY))
    missing = metrics["thresholds_missing"]
    if missing is not None:
        say(console, f"thresholds: none, {missing}")
    else:
        chosen = metrics["thresholds"]["chosen"]
        say(console, f"thresholds: confidence {chosen['confidence']:g}, NMS IoU {chosen['iou']:g}, thresholds.yaml")
    if metrics["onnx"] is not None:
        check = metrics["onnx"]["check"]
        say(
            console,
            f"onnx:    {promotion.folder / 'weights.onnx'}, off PyTorch by at most {check['boxes']:.2g} px and "
            f"{check['confidences']:.2g} in confidence",
        )
    say(console, f"weights: {promotion.folder / 'weights.pt'} ({metrics['megabytes']:.1f} MB)")
    say(console, f"card:    {promotion.folder / 'model_card.md'}")


def status_table(console: Console, status: SweepStatus) -> None:
    """The trials of a sweep as a table, why some failed, and the best so far."""
    rows = status.rows()
    console.print(_trials(status, rows))
    _yield_table(console, status)
    for row in rows:
        if row["state"] == "FAIL" and _cell(row["failure"]):
            say(console, f"trial {row['number']} failed: {row['failure']}")
    for smaller in status.smaller_batches:
        say(console, str(smaller))
    _gpu_peak(console, rows)
    again = f", {status.epochs_repeated} of them again" if status.epochs_repeated else ""
    run = f"{_plural(status.epochs_run, 'epoch')} run{again}"
    waiting = f" ({status.paused} paused at a rung)" if status.paused else ""
    more = "".join(
        f"; {_plural(count, noun)}"
        for count, noun in ((status.imported, "imported result"), (status.waiting, "waiting trial"))
        if count
    )
    say(console, f"{_counts(status.states)}{waiting}; {status.planned} planned; {run}{more}")
    if status.budget:
        say(console, f"budget: {', '.join(map(str, status.budget))}")
    if status.usage is not None and status.usage.trials:
        say(console, f"checkpoints: {status.usage}")
    if status.best is not None:
        best = status.best
        after = f"after {best['epoch']}/{status.epochs} epochs ({status.path} path)"
        say(console, f"best: trial {best['number']}, {best['value']:.5g} {after}")
    _front(console, [_of_front(each, status.goals) for each in status.front])
    _range_of_search(console, status)
    if not status.finished:
        say(console, f"if its driver is no longer at work, go on with: hypsweep resume {status.run_dir}")


def _range_of_search(console: Console, status: SweepStatus) -> None:
    """Which stages there are, and where the search came to the edge of its space."""
    if status.stages:
        say(console, f"stages: {'; '.join(map(str, status.stages))}")
    for line in edge_lines(status.edges, status.run_dir):
        say(console, line)


def _trials(status: SweepStatus, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"sweep {status.name}", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    ends = [*status.goals, "front"] if status.goals else [status.metric, "best"]
    for name in ("trial", "sampler", "state", "epoch", *ends):
        table.add_column(name, justify="left" if name in ("sampler", "state") else "right", no_wrap=True)
    for row in rows:
        bold = row.get("front") or (status.best is not None and row["number"] == status.best["number"])
        values = [row["value"], row["best_value"]]
        if status.goals:
            values = [*(row[f"value_{name}"] for name in status.goals), "yes" if row["front"] else None]
        cells = (row["number"], row["sampler"], row["state"], f"{row['epochs']}/{status.epochs}", *values)
        table.add_row(*map(_cell, cells), style="bold" if bold else None)
    return table


def _front(console: Console, trials: Sequence[str]) -> None:
    """The trials of the front, a line each."""
    if trials:
        say(console, f"front: {_plural(len(trials), 'trial')} that no other beats in all goals")
    for trial in trials:
        say(console, f"  {trial}")


def _of_front(row: dict[str, Any], goals: Sequence[str]) -> str:
    return f"trial {row['number']} ({', '.join(f'{name} {_cell(row[name])}' for name in goals)})"


def _yield_table(console: Console, status: SweepStatus) -> None:
    """What each sampler yielded: share of all epochs, best value and its epoch, how many new bests, their rate."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    # Short names: the table has to fit a narrow terminal.
    for name in ("sampler", "trials", "share", "best", "at", "new", "credit"):
        table.add_column(name, justify="left" if name == "sampler" else "right", no_wrap=True)
    for row in status.yield_rows():
        share, credit = (None if row[name] is None else f"{row[name]:.0%}" for name in ("share", "credit"))
        cells = (row["trials"], share, row["best_value"], row["best_epoch"], row["new_bests"], credit)
        table.add_row(row["sampler"], *map(_cell, cells))
    if table.rows:
        console.print(table)


def _gpu_peak(console: Console, rows: list[dict[str, Any]]) -> None:
    """The most GPU memory that a trial took; nothing where there is no GPU."""
    from search.gpu_sharing import advice

    measured = [row for row in rows if row["gpu_memory_peak"] and row["gpu_memory_total"]]
    if measured:
        row = max(measured, key=lambda each: each["gpu_memory_peak"] / each["gpu_memory_total"])
        say(console, advice(row["number"], row["gpu_memory_peak"], row["gpu_memory_total"]))


def _counts(states: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no trial yet"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
