"""The step ``sweep``: begins one, goes on with it, extends it, or moves aside that of another configuration."""

from __future__ import annotations

import json
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
from search.identity import identity
from search.keys import TARGET
from search.opening import load_study
from search.space import load_space
from search.sweep import resume_sweep, run_sweep


def sweep_config(place: Place) -> SweepConfig:
    """The sweep's configuration, with what this flow says otherwise."""
    return load_sweep_config(place.config.sweep, place.config.overrides(place.data))


def sweep_inputs(place: Place) -> Mapping[str, Any]:
    """What makes another sweep; trials and budget, which extend it; not on what it runs."""
    config = sweep_config(place)
    check_files(config)
    weights = config.train.get("weights")
    return {
        "config": digest_of(_essence(config)),
        "data": data_digest(Path(config.data)),
        "weights": file_sha256(Path(weights)) if weights and Path(weights).is_file() else weights,
        "trials": config.trials,
        "budget": config.budget.model_dump(mode="json"),
    }


def clear(place: Place, changed: frozenset[str]) -> None:
    """Move aside a sweep of another configuration, data set or weights."""
    config = sweep_config(place)
    if not changed & {"data", "weights"} and _planned(config, place.sweep) is not None:
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
    planned = _planned(config, run_dir)
    if planned is None:
        found = run_sweep(config, run_dir, place.watch.options)
    else:
        more = max(config.trials - planned, 0) or None
        found = resume_sweep(run_dir, more, place.watch.options, _budget(config))
    if found.interrupted:
        raise StoppedError("the sweep was stopped.")
    if found.best is None:
        raise WorkFailedError(
            f"{run_dir}: no trial of the sweep has finished an epoch; see `hypsweep status {run_dir}`."
        )
    best = {"best_trial": found.best.trial.number, "best": found.best.value, "default": found.best.default_value}
    files = (run_dir / "best_hyp.yaml", run_dir / "results.csv")
    return Made(files, {"metric": config.metric, "states": found.states, **best})


def _essence(config: SweepConfig) -> dict[str, Any]:
    """What must be the same for two sweeps to be one; the data set has a digest of its own."""
    same = identity(config, load_space(config.space))
    del same["data"]
    kept = ("sampler", "seed", "study_storage", "storage_path")
    stages = [stage.whole() for stage in config.stages]
    first_rung = config.scheduler.first_rung(config.epochs)
    scheduler = {**config.scheduler.model_dump(mode="json"), "grace_period": first_rung}
    return json.loads(  # type: ignore[no-any-return]  # a mapping went in
        json.dumps({**same, **config.model_dump(mode="json", include=set(kept)), "stages": stages, "rungs": scheduler})
    )


def _planned(config: SweepConfig, run_dir: Path) -> int | None:
    """How many trials the sweep in a folder has or shall have; None where it is another one, or none that began."""
    if not (run_dir / SWEEP_YAML).is_file():
        return None
    held = load_sweep_config(run_dir / SWEEP_YAML)
    if _essence(held) != _essence(config):
        return None
    try:
        study = load_study(held, run_dir)
    except InputError:  # killed before it had one
        return None
    if study.user_attrs.get("identity", {}).get("data") != identity(config, load_space(config.space))["data"]:
        return None
    return int(study.user_attrs.get(TARGET, held.trials))


def _budget(config: SweepConfig) -> list[str]:
    """The whole budget as ``resume --budget`` takes it, what is not limited included."""
    return [f"{name}={json.dumps(value)}" for name, value in config.budget.model_dump(mode="json").items()]
