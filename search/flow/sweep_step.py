"""The step ``sweep``: begins one, goes on with it, extends it, or moves aside that of another configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.errors import InputError, StoppedError, WorkFailedError
from data_prep.files import file_sha256
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML, check_files
from search.flow.book import digest_of
from search.flow.raw import data_digest
from search.flow.step import Made, Place
from search.held_sweep import essence, finish_sweep, planned


def sweep_config(place: Place) -> SweepConfig:
    """The sweep's configuration, with what this flow says otherwise."""
    return load_sweep_config(place.config.sweep, place.config.overrides(place.data))


def sweep_inputs(place: Place) -> Mapping[str, Any]:
    """What makes another sweep; trials and budget, which extend it; not on what it runs."""
    config = sweep_config(place)
    check_files(config)
    weights = config.train.get("weights")
    return {
        "config": digest_of(essence(config)),
        "data": data_digest(Path(config.data)),
        "weights": file_sha256(Path(weights)) if weights and Path(weights).is_file() else weights,
        "trials": config.trials,
        "budget": config.budget.model_dump(mode="json"),
    }


def clear(place: Place, changed: frozenset[str]) -> None:
    """Move aside a sweep of another configuration, data set or weights."""
    config = sweep_config(place)
    if not changed & {"data", "weights"} and planned(config, place.sweep) is not None:
        return
    if (place.sweep / SWEEP_YAML).is_file() and config.study_storage is not None:
        raise InputError(
            f"study_storage: its study `{config.name}` belongs to the sweep in {place.sweep}, which was made from "
            "other inputs; give `name` another value in the flow's `set`, or another --out."
        )
    place.aside(place.sweep)


def run(place: Place) -> Made:
    """Run what is not done of the sweep."""
    run_dir, config = place.sweep, sweep_config(place)
    found = finish_sweep(config, run_dir, place.watch.options)
    if found.interrupted:
        raise StoppedError("the sweep was stopped.")
    if found.best is None:
        raise WorkFailedError(
            f"{run_dir}: no trial of the sweep has finished an epoch; see `hypsweep status {run_dir}`."
        )
    best = {"best_trial": found.best.trial.number, "best": found.best.value, "default": found.best.default_value}
    files = (run_dir / "best_hyp.yaml", run_dir / "results.csv")
    return Made(files, {"metric": config.metric, "states": found.states, **best})
