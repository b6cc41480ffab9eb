"""The table of a sweep: ``results.csv`` or ``results.parquet``, which hold what was searched and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.known.source import KnownSource, KnownTrial
from search.known.tables import finite, read_csv, shown
from search.space import SETTINGS
from trainable.hyp import Hyp

COLUMNS = ("number", "state", "value", "epochs")
_PARAMS, _METRICS = "params_", "metrics_"


def read_results_csv(path: Path) -> KnownSource:
    """Read a ``results.csv`` that hypsweep wrote.

    Raises:
        InputError: It is damaged, or no such table.
    """
    names, rows = read_csv(path)
    typed = [
        {name: _cell(path, index, name, cell) for name, cell in row.items() if cell}
        for index, row in enumerate(rows, start=1)
    ]
    return _source(path, names, typed)


def read_results_parquet(path: Path) -> KnownSource:
    """Read a ``results.parquet`` that hypsweep wrote.

    Raises:
        InputError: It is damaged, or no such table.
    """
    try:
        table = pd.read_parquet(path)
    except Exception as error:  # whatever pyarrow makes of a damaged file
        raise InputError(f"{shown(path)} is no Parquet file ({type(error).__name__}): give another file.") from error
    rows = [{str(name): value for name, value in row.items() if not _absent(value)} for row in table.to_dict("records")]
    return _source(path, [str(name) for name in table.columns], rows)


def _source(path: Path, names: Iterable[str], rows: list[dict[str, Any]]) -> KnownSource:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(f"{shown(path)} has no column `{missing[0]}`, as a table of hypsweep has: is it one?")
    trials = [_trial(path, index, row) for index, row in enumerate(rows, start=1) if _is_measured(row)]
    left = len(rows) - len(trials)
    notes = (f"{left} trials that failed or have no value",) if left else ()
    return KnownSource(name=shown(path), trials=tuple(trials), left_out=notes)


def _is_measured(row: Mapping[str, Any]) -> bool:
    value = row.get("value")
    return row.get("state") != TrialState.FAIL.name and isinstance(value, int | float) and math.isfinite(value)


def _trial(path: Path, index: int, row: Mapping[str, Any]) -> KnownTrial:
    label = f"{shown(path)} row {index}"
    params = {name.removeprefix(_PARAMS): value for name, value in row.items() if name.startswith(_PARAMS)}
    for name, value in params.items():
        wrong = isinstance(value, str) or not math.isfinite(value)
        if name in Hyp.names() and wrong:
            raise InputError(f"{label}: {name} is {value!r}, which is no finite number: correct or remove the row.")
    if not isinstance(row.get("epochs"), int | float):
        raise InputError(f"{label} has no number under `epochs`: correct or remove the row.")
    return KnownTrial(
        params=params,
        label=label,
        value=float(row["value"]),
        metrics={
            name.removeprefix(_METRICS): float(value)
            for name, value in row.items()
            if name.startswith(_METRICS) and isinstance(value, int | float) and math.isfinite(value)
        },
        epochs=int(row["epochs"]),
        finished=row.get("state") == TrialState.COMPLETE.name,
    )


def _cell(path: Path, index: int, name: str, cell: str) -> Any:  # noqa: ANN401  a number, a truth value or a text
    if name in ("value", "epochs"):
        return finite(path, index, name, cell)
    if cell in ("True", "False"):
        return cell == "True"
    setting = name.removeprefix(_PARAMS) in SETTINGS
    for kind in (int, float) if setting else (float,):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _absent(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))
