"""YOLOv5's ``evolve.csv``, in and out: one finished training a row, seven metrics and then every hyp.

The form is that of ``yolov5.utils.general.print_mutation`` (7.0.14): names right-aligned in 20 characters. Values are
written with all their digits, where YOLOv5 keeps five, so that a hyp that is read back is the one that was trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.trial import TrialState

from data_prep.errors import InputError
from data_prep.text import printable
from search.keys import LAST
from search.known.source import KnownSource, KnownTrial
from search.known.tables import finite, number, read_csv, shown
from search.paths import write_text
from trainable.hyp import Hyp

if TYPE_CHECKING:
    import optuna

    from search.config import SweepConfig
    from search.space import Space

EVOLVE_CSV = "evolve.csv"
METRICS = {
    "metrics/precision": "precision",
    "metrics/recall": "recall",
    "metrics/mAP_0.5": "map50",
    "metrics/mAP_0.5:0.95": "map50_95",
    "val/box_loss": "val_box_loss",
    "val/obj_loss": "val_obj_loss",
    "val/cls_loss": "val_cls_loss",
}
"""YOLOv5's name of each metric, in its order, and ours."""
ANCHORS = 3.0
"""What YOLOv5 writes where nobody searches ``anchors``: as many as its models have."""


def evolve_rows(study: optuna.Study, config: SweepConfig, space: Space) -> list[tuple[dict[str, float], Hyp]]:
    """Metrics and hyp of the trials that are of equal standing: trained to their last epoch, with all seven metrics.

    YOLOv5 compares all rows with each other, and a row does not say how many epochs it was trained.
    """
    base, rows = config.base_hyp().as_dict(), []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        metrics = trial.user_attrs.get(LAST, {}).get("metrics", {})
        if all(math.isfinite(metrics.get(name, math.nan)) for name in METRICS.values()):
            hyp, _ = space.split(trial.params)
            rows.append((metrics, Hyp.from_mapping({**base, **hyp})))
    return rows


def format_evolve(rows: Iterable[tuple[Mapping[str, float], Hyp]]) -> str:
    """The text of an ``evolve.csv``."""
    names = (*METRICS, *Hyp.names())
    lines = [",".join(f"{name:>20}" for name in names)]
    for metrics, hyp in rows:
        values = [metrics[name] for name in METRICS.values()]
        values += [ANCHORS if value is None else value for value in vars(hyp).values()]
        lines.append(",".join(f"{_digits(float(value)):>20}" for value in values))
    return "\n".join(lines) + "\n"


def _digits(value: float) -> str:
    """A number as YOLOv5 writes it, unless that would change it."""
    short = f"{value:.5g}"
    return short if float(short) == value else repr(value)


def write_evolve(study: optuna.Study, config: SweepConfig, space: Space, run_dir: Path) -> None:
    """Write ``evolve.csv`` into a sweep's folder, if there is a row for it: YOLOv5 reads no table without rows."""
    rows = evolve_rows(study, config, space)
    if rows:
        write_text(run_dir / EVOLVE_CSV, format_evolve(rows))


def read_evolve(path: Path) -> KnownSource:
    """Read an ``evolve.csv``, stock YOLOv5's or ours.

    A training that diverged has metrics that are no numbers: such rows are left out.

    Raises:
        InputError: It is damaged, lacks a metric, has a column that is no hyp, or a hyp that is no finite number.
    """
    names, rows = read_csv(path)
    missing = [name for name in METRICS if name not in names]
    if missing:
        raise InputError(f"{shown(path)} has no column `{missing[0]}`, as YOLOv5's {EVOLVE_CSV} has: is it one?")
    hyps = [name for name in names if name not in METRICS]
    for name in hyps:
        if name not in Hyp.names():
            raise InputError(f"{shown(path)}: the column `{printable(name)}` is no hyp of YOLOv5: remove it.")
    trials, left_out = [], 0
    for index, row in enumerate(rows, start=1):
        metrics = {METRICS[name]: number(path, index, name, row[name]) for name in METRICS}
        params = {name: finite(path, index, name, row[name]) for name in hyps}
        if not all(math.isfinite(value) for value in metrics.values()):
            left_out += 1
            continue
        metrics["fitness"] = fitness(metrics)
        trials.append(
            KnownTrial(params=params, label=f"{shown(path)} row {index}", value=metrics["fitness"], metrics=metrics)
        )
    notes = (f"{left_out} rows whose metrics are no finite numbers",) if left_out else ()
    return KnownSource(name=shown(path), trials=tuple(trials), left_out=notes)


def fitness(metrics: Mapping[str, float]) -> float:
    """YOLOv5's ``utils.metrics.fitness``."""
    return 0.1 * metrics["map50"] + 0.9 * metrics["map50_95"]
