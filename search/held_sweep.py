"""Whether a folder holds the very sweep of a configuration, and how to bring that to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML
from search.identity import identity
from search.keys import TARGET
from search.opening import load_study
from search.options import Options
from search.space import load_space
from search.sweep import SweepResult, resume_sweep, run_sweep


def essence(config: SweepConfig) -> dict[str, Any]:
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


def planned(config: SweepConfig, run_dir: Path) -> int | None:
    """How many trials the sweep in a folder has or shall have; None where it is another one, or none that began."""
    if not _is_of(config, run_dir):
        return None
    held = load_sweep_config(run_dir / SWEEP_YAML)
    try:
        study = load_study(held, run_dir)
    except InputError:  # killed before it had one
        return None
    if study.user_attrs.get("identity", {}).get("data") != identity(config, load_space(config.space))["data"]:
        return None
    return int(study.user_attrs.get(TARGET, held.trials))


def _is_of(config: SweepConfig, run_dir: Path) -> bool:
    """Whether a folder holds a sweep of this configuration, with a study or not yet."""
    path = run_dir / SWEEP_YAML
    return path.is_file() and essence(load_sweep_config(path)) == essence(config)


def finish_sweep(config: SweepConfig, run_dir: Path, options: Options | None = None) -> SweepResult:
    """Run what is not done of a sweep: begin it, go on with it, or add the trials that it has more by now.

    Raises:
        InputError: As :func:`search.sweep.run_sweep` raises it, also where the folder holds another sweep.
        WorkFailedError: All trials crash, or Ray gave up.
    """
    held = planned(config, run_dir)
    if held is None and _is_of(config, run_dir):  # killed before it had a study
        return resume_sweep(run_dir, None, options, _budget(config))
    if held is None:
        return run_sweep(config, run_dir, options)
    return resume_sweep(run_dir, max(config.trials - held, 0) or None, options, _budget(config))


def _budget(config: SweepConfig) -> list[str]:
    """The whole budget as ``resume --budget`` takes it, what is not limited included."""
    return [f"{name}={json.dumps(value)}" for name, value in config.budget.model_dump(mode="json").items()]
