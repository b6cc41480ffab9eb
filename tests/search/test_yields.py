from __future__ import annotations

import json
import math

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from search.keys import LAST
from search.results import SAMPLERS_CSV
from search.samplers import AUTHOR_KEY, PAUSED_KEY
from search.status import sweep_status
from search.yields import member_yields
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add, finish_run


def _trial(author: str | None, steps: list[float], state: TrialState, *, epochs_run: int | None = None) -> object:
    attrs: dict[str, object] = {} if author is None else {AUTHOR_KEY: author}
    if epochs_run is not None:
        attrs[LAST] = {"epoch": len(steps), "epochs_run": epochs_run}
    if state == TrialState.RUNNING:
        attrs[PAUSED_KEY] = len(steps)
    value = steps[-1] if state == TrialState.COMPLETE else None
    return optuna.create_trial(
        state=state, value=value, intermediate_values=dict(enumerate(steps, start=1)), user_attrs=attrs
    )


def test_what_each_member_yielded() -> None:
    study = optuna.create_study(direction="maximize")
    study.add_trials([
        _trial("default", [0.1, 0.2, 0.3], TrialState.COMPLETE),
        _trial("ga", [0.2], TrialState.PRUNED),  # a new best at epoch 1
        _trial("tpe", [0.1, 0.1, 0.4], TrialState.COMPLETE, epochs_run=5),  # ... at epoch 3
        _trial("ga", [0.1, 0.15], TrialState.RUNNING),
        _trial("ga", [math.nan], TrialState.FAIL),
        _trial(None, [0.1, 0.3], TrialState.PRUNED),  # ... at epoch 2
    ])  # type: ignore[list-item]  # fmt: skip
    rows = {row["sampler"]: row for row in member_yields(study).to_dict("records")}
    assert list(rows) == ["default", "ga", "tpe", "unknown"]
    assert {n: rows["ga"][n] for n in ("trials", "failed", "epochs", "new_bests")} == {
        "trials": 3, "failed": 1, "epochs": 4, "new_bests": 1,
    }  # fmt: skip
    assert rows["ga"]["credit"] == pytest.approx(1 / 3)
    assert rows["ga"]["share"] == pytest.approx(4 / 14)
    assert (rows["ga"]["best_value"], rows["ga"]["best_epoch"], rows["ga"]["best_trial"]) == (0.15, 2, 3)
    assert (rows["tpe"]["best_value"], rows["tpe"]["epochs"], rows["tpe"]["credit"]) == (0.4, 5, 1.0)
    assert (rows["unknown"]["new_bests"], rows["unknown"]["trials"]) == (1, 1)
    assert math.isnan(rows["default"]["credit"])  # there was nothing to improve on
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)


def test_without_steps_and_without_trials() -> None:
    study = optuna.create_study(direction="minimize")
    assert member_yields(study).empty
    for value in (2.0, 1.0, 3.0):
        study.add_trial(optuna.create_trial(value=value, user_attrs={AUTHOR_KEY: "ga"}))
    (row,) = member_yields(study).to_dict("records")
    assert (row["best_value"], row["best_trial"], row["new_bests"], row["credit"]) == (1.0, 1, 1, 0.5)
    assert (row["epochs"], row["share"]) == (0, None)


def test_several_goals_have_no_best_and_no_credit() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.add_trials([optuna.create_trial(values=[i, i], user_attrs={AUTHOR_KEY: "tpe"}) for i in range(3)])
    (row,) = member_yields(study).to_dict("records")
    assert (row["sampler"], row["trials"], row["failed"]) == ("tpe", 3, 0)
    assert all(pd.isna(row[name]) for name in ("best_value", "new_bests", "credit"))


def test_status_and_results_show_it(files: SweepFiles) -> None:
    study, _ = open_tiny(files, train={"epochs": 2})
    add(study, TrialState.COMPLETE, [0.2, 0.4])
    add(study, TrialState.PRUNED, [0.3])
    add(study, TrialState.FAIL, [], reason="diverged")
    finish_run(files, study, train={"epochs": 2})
    shown = json.loads(json.dumps(sweep_status(files.run).as_dict(), allow_nan=False))["samplers"]
    assert [(row["sampler"], row["trials"], row["new_bests"], row["credit"]) for row in shown] == [
        ("default", 1, 0, None),
        ("random", 2, 1, 0.5),
    ]
    lines = (files.run / SAMPLERS_CSV).read_text().splitlines()
    assert lines[0].startswith("sampler,trials,failed,epochs,share,")
    assert len(lines) == 3
