"""A training of stock YOLOv5: its ``results.csv``, one row an epoch, with the ``hyp.yaml`` that lies beside it."""

from __future__ import annotations

import math
from pathlib import Path

from data_prep.errors import InputError
from search.known.evolve import METRICS, fitness
from search.known.source import KnownSource, KnownTrial
from search.known.tables import number, read_csv, shown
from trainable.hyp import Hyp, read_hyp_values

HYP = "hyp.yaml"


def read_yolov5_run(path: Path) -> KnownSource:
    """Read the ``results.csv`` of a YOLOv5 training as one config with the metrics of its last epoch.

    Raises:
        InputError: There is no ``hyp.yaml`` beside it, or one of the two is damaged.
    """
    hyp = path.with_name(HYP)
    if not hyp.is_file():
        raise InputError(
            f"{shown(path)} is the log of one YOLOv5 training and there is no {HYP} beside it: give a hyp YAML."
        )
    values = read_hyp_values(hyp)
    Hyp.from_mapping(values, source=shown(hyp))
    names, rows = read_csv(path)
    missing = [name for name in METRICS if name not in names]
    if missing or not rows:
        what = f"no column `{missing[0]}`" if missing else "no row"
        raise InputError(f"{shown(path)} has {what}: give the {HYP} beside it instead.")
    metrics = {METRICS[name]: number(path, len(rows), name, rows[-1][name]) for name in METRICS}
    if not all(math.isfinite(value) for value in metrics.values()):
        raise InputError(f"{shown(path)} ends in metrics that are no finite numbers: that training diverged.")
    metrics["fitness"] = fitness(metrics)
    label = shown(path.parent)
    known = KnownTrial(params=values, label=label, value=metrics["fitness"], metrics=metrics, epochs=len(rows))
    return KnownSource(name=label, trials=(known,))
