"""The sections of a report's page; each returns HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data_prep.eda.markup import Cell, Share, paragraph, table
from data_prep.eda.shell import chart_row
from search.confirm.display import verdict_lines
from search.confirm.result import Confirmation
from search.edges import edge_lines
from search.keys import LAST
from search.report.charts import curves_chart, front_chart, parameter_charts, progress_chart
from search.report.facts import Facts, rungs
from search.results import QUALITY, beside_default
from search.samplers.keys import START

_MOST_ROWS = 500
"""A table longer than this is cut to its best rows; results.csv has them all."""


def outcome(facts: Facts, run_dir: Path) -> str:
    """What won, and what to do with it."""
    if facts.front:
        return _front(facts, run_dir)
    best = facts.best
    if best is None:
        return paragraph("No trial has finished an epoch yet.") + paragraph(f"Go on: hypsweep resume {run_dir}")
    metric, trial = facts.config.metric, best.trial
    after = f"after {best.epoch} of {facts.config.epochs} epochs"
    author = trial.user_attrs.get("sampler", "unknown")
    metrics = trial.user_attrs.get(LAST, {}).get("metrics", {})
    shown = ", ".join(f"{name} {metrics[name]:.4g}" for name in QUALITY if name in metrics)
    return (
        paragraph(f"Best: trial {trial.number} by {author}, {metric} {best.value:.5g} {after}; {beside_default(best)}.")
        + paragraph(f"Its metrics: {shown}." if shown else "")
        + "".join(paragraph(line) for line in edge_lines(facts.edges, run_dir))
        + paragraph(
            "Every figure is one training: the best of many is flattered, and a small lead may be luck.",
            f"Finish it: hypsweep promote {run_dir}",
        )
    )


def _front(facts: Facts, run_dir: Path) -> str:
    """The trials among which to choose where there are several goals."""
    goals = facts.config.goals
    wanted = " and ".join(f"{'more' if goal.mode == 'max' else 'less'} {goal.metric}" for goal in goals)
    rows: list[Sequence[Cell]] = [
        (each.trial.number, each.epoch, *(f"{value:.5g}" for value in each.values)) for each in facts.front
    ]
    return (
        paragraph(
            f"Wanted: {wanted}. No trial is better in all of them than one of these; which one to take is a choice."
        )
        + chart_row([chart] if (chart := front_chart(facts)) else [])
        + table(("trial", "epochs", *(goal.metric for goal in goals)), rows)
        + paragraph(f"Take one: hypsweep export {run_dir} --trial N, or hypsweep promote {run_dir} --trial N")
    )


def confirmation(found: Confirmation) -> str:
    """What the best became with new seeds, beside the default hyp."""
    rows: list[Sequence[Cell]] = []
    for row in found.rows:
        interval = "" if row.lower is None or row.upper is None else f"{row.lower:+.4f} to {row.upper:+.4f}"
        figures = [_cell(value) for value in (row.swept, row.seeds, row.mean, row.sd, row.gain)]
        rows.append(("default" if row.trial == START else row.trial, *figures, interval, row.lost or ""))
    head = ("trial", "in the sweep", "seeds", f"mean {found.metric}", "sd", "gain", "interval of the gain", "lost")
    lines = (*verdict_lines(found), *map(str, found.ranks), *found.failures)
    return "".join(map(paragraph, lines)) + table(head, rows)


def curves(facts: Facts) -> str:
    """Learning curves, and the best so far."""
    charts = [chart for chart in (curves_chart(facts), progress_chart(facts)) if chart is not None]
    return chart_row(charts) if facts.trials else ""


def rung_table(facts: Facts) -> str:
    """Where trials ended, and what the ranking there was worth."""
    rows = [
        (r.epoch, r.reached, r.ended, "" if r.correlation is None else f"{r.correlation:.2f}") for r in rungs(facts)
    ]
    head = ("epoch", "trials that reached it", "of them ended or waiting there", "rank correlation with the last epoch")
    intro = (
        "The rank correlation (Spearman) is that of the trials which ran to their end, mostly the better ones: what "
        "was stopped might have changed it."
    )
    return paragraph(intro) + table(head, rows)


def parameters(facts: Facts, importances: Mapping[str, float]) -> str:
    """What was searched, and what came of it."""
    intro = (
        "Large dots: full trainings. Small dots: trials that were stopped, at their last epoch. "
        "Dashed: the best trial's value."
    )
    rows = [(name, Share(round(1000 * value), 1000)) for name, value in importances.items()]
    listing = table(("parameter", "importance among full trainings"), rows)
    return paragraph(intro) + chart_row(parameter_charts(facts)) + listing


def samplers(yields: pd.DataFrame) -> str:
    """What the trials of each author took and found."""
    intro = (
        "New bests: trials that improved on all earlier ones at an equal epoch. Credit: the part of a sampler's judged "
        "trials that did. The share is that of the epochs trained."
    )
    return paragraph(intro) + frame(yields)


def frame(found: pd.DataFrame) -> str:
    """A table of figures and texts; what is missing is an empty cell."""
    rows = [[_cell(value) for value in row] for row in found.itertuples(index=False)]
    return table([str(name).replace("_", " ") for name in found.columns], rows)


def trials(facts: Facts) -> str:
    """Every trial, the best first."""
    columns = ["number", "state", "sampler", "epochs", "value", "best_value", "seconds", "failure"]
    found = facts.table[columns]
    order = found.sort_values(["epochs", "value"], ascending=[False, not facts.maximize], na_position="last")
    note = f"The first {_MOST_ROWS} of {len(order)}." if len(order) > _MOST_ROWS else ""
    return paragraph(note, "Columns of parameters and metrics: results.csv.") + frame(order.head(_MOST_ROWS))


def settings(facts: Facts) -> str:
    """What every training had."""
    searched = set(facts.space.parameters)
    rows: list[Sequence[Cell]] = [
        (name, str(value)) for name, value in facts.config.settings().as_dict().items() if name not in searched
    ]
    more = [
        ("sampler", str(facts.config.sampler.model_dump(exclude_none=True))),
        ("scheduler", str(facts.config.scheduler.model_dump(exclude_none=True))),
        ("seed of the sweep", str(facts.config.seed)),
    ]
    return table(("setting", "value"), [*rows, *more])


def _cell(value: Any) -> Cell:  # noqa: ANN401  a cell of a data frame
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value)
