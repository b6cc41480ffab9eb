"""The files of a sweep's configuration: those that it reads, and those that its folder keeps of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from data_prep.errors import InputError
from search.space import load_space
from trainable.downloads import official_names

if TYPE_CHECKING:
    from search.config import SweepConfig

SWEEP_YAML, SPACE_YAML, HYP_YAML = "sweep.yaml", "space.yaml", "hyp.yaml"
_NONE_IS_A_CHOICE = ("keep_best_checkpoints", "max_paused_checkpoints")  # and not the default


def check_files(config: SweepConfig) -> None:
    """Check that every file that the sweep reads is there.

    Raises:
        InputError: One is not; the message names its key.
    """
    weights = config.train.get("weights")
    files = {"data": config.data, "space": config.space, "hyp": config.hyp, "train.weights": weights}
    if weights in official_names():
        del files["train.weights"]
    files |= {f"stages.{stage.name}.space": stage.space for stage in config.stages}
    for key, path in files.items():
        if path and not Path(path).is_file():
            raise InputError(f"{key}: there is no file {path}: correct the path (relative ones start at the YAML).")


def kept_files(config: SweepConfig) -> dict[str, str]:
    """What a sweep's folder keeps of its configuration, name to text: enough to repeat it on the same data.

    The space and the hyp are copied, so that a later edit of the originals does not reach into the sweep.
    ``sweep.yaml``, without which a folder holds no sweep, comes last.
    """
    values = config.model_dump(mode="json", exclude_none=True)
    values |= {name: None for name in _NONE_IS_A_CHOICE if getattr(config, name) is None}
    if not config.budget.names:
        del values["budget"]
    if config.stages:
        values["stages"] = [stage.whole() for stage in config.stages]
    else:
        del values["stages"]
    for name in ("metric", "mode") if config.objectives else ("objectives",):
        del values[name]
    if not config.constraints.limits():
        del values["constraints"]
    values["train"] = _kept_settings(config)
    # What says nothing here would follow a later version's default, and a resumed sweep would be another one.
    values["sampler"] = config.sampler.model_dump(mode="json")
    first_rung = config.scheduler.first_rung(config.epochs)
    values["scheduler"] = {**config.scheduler.model_dump(mode="json"), "grace_period": first_rung}
    if not config.start_from:
        del values["start_from"]
    copies = {SPACE_YAML: config.space.read_text(encoding="utf-8")}
    values["space"] = SPACE_YAML
    if config.hyp:
        copies[HYP_YAML] = config.hyp.read_text(encoding="utf-8")
        values["hyp"] = HYP_YAML
    return {**copies, SWEEP_YAML: yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}


def _kept_settings(config: SweepConfig) -> dict[str, Any]:
    """The settings of the trainings, those in full that no later default is to change.

    A searched one that the sweep does not state stays unstated: there the default of the space says where the search
    starts.
    """
    space = load_space(config.space)
    searched = {space.target(name) for name in space.parameters} - config.train.keys()
    return {name: value for name, value in config.settings().as_dict().items() if name not in {"data", *searched}}
