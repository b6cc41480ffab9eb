"""Opens a comparison: checks all that can be checked before any time is spent, and goes on with what is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from search.compare.arms import Arm, check_arm
from search.compare.config import COMPARISON_YAML, ComparisonConfig, load_comparison
from search.compare.ledger import JSON, ComparisonLedger
from search.compare.plan import ComparisonPlan, make_plan
from search.compare.tune import FOLDER
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML, check_files
from search.paths import join, write_text
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

_MAY_CHANGE = ("seeds", "max_seeds")
"""Keys that may be another one when a comparison goes on; so may the number of trials that tune."""


@dataclass(frozen=True)
class Comparison:
    """A comparison whose configuration has been read and checked.

    Attributes:
        config:
            What is compared.
        base:
            What the arms share.
        run_dir:
            Where.
        arms:
            Those that are trained, the reference first.
        large:
            Those that are not, because their weights are too large.
        megabytes:
            Size of the weights by arm.
    """

    config: ComparisonConfig
    base: SweepConfig
    run_dir: Path
    arms: tuple[Arm, ...]
    large: tuple[Arm, ...]
    megabytes: Mapping[str, float]

    @property
    def command(self) -> str:
        """What goes on with it."""
        return f"hypsweep compare {self.run_dir}"

    def root(self, plan: ComparisonPlan) -> str:
        """Path or URI of the checkpoints; another comparison has others, whatever its name."""
        shared = self.base.storage_path
        if not shared:
            return str(self.run_dir / "ray")
        key = hashlib.sha256(f"{self.run_dir}\n{json.dumps(plan.as_dict(), sort_keys=True)}".encode()).hexdigest()
        return join(shared, f"{self.config.name}-{key[:8]}-comparison")


def open_comparison(config: ComparisonConfig, run_dir: Path) -> Comparison:
    """Read and check what a comparison needs.

    Raises:
        InputError: Something in the configuration is wrong, or the folder holds something else.
    """
    base = load_sweep_config(config.sweep, config.overrides())
    check_files(base)
    _refuse_other_folder(config, run_dir)
    settings = {arm.name: _checked(arm, base) for arm in config.ordered()}
    megabytes = {arm.name: _megabytes(arm, base, settings[arm.name]) for arm in config.ordered()}
    small = tuple(arm for arm in config.ordered() if megabytes[arm.name] <= config.max_megabytes)
    large = tuple(arm for arm in config.ordered() if megabytes[arm.name] > config.max_megabytes)
    if len(small) < 2 or config.ordered()[0] in large:
        names = ", ".join(f"{arm.name} {megabytes[arm.name]:.1f} MB" for arm in large)
        raise InputError(
            f"max_megabytes is {config.max_megabytes:g} and {names} is more: the reference and another arm must be "
            "left; take smaller models, or raise it."
        )
    return Comparison(config, base, run_dir, small, large, megabytes)


def _checked(arm: Arm, base: SweepConfig) -> TrainSettings:
    """The settings of an arm, whose values and files were checked."""
    settings = check_arm(arm, base)
    try:
        check_files(base.model_copy(update={"train": {**base.train, **arm.train}}))
    except InputError as error:
        raise InputError(f"arms.{arm.name}: {error}") from error
    return settings


def _megabytes(arm: Arm, base: SweepConfig, settings: TrainSettings) -> float:
    """The size of an arm's weights in 10^6 bytes."""
    from trainable.footprint import weights_megabytes  # loads torch

    hyp = Hyp.from_mapping({**base.base_hyp().as_dict(), **arm.hyp})
    return weights_megabytes(settings.model, len(read_data_yaml(Path(base.data)).names), hyp.anchors)


def _refuse_other_folder(config: ComparisonConfig, run_dir: Path) -> None:
    """Refuse a folder in which something else was begun."""
    if (run_dir / SWEEP_YAML).exists():
        raise InputError(f"{run_dir} holds a sweep: choose another folder with --out.")
    if not (run_dir / JSON).exists() and not (run_dir / FOLDER).exists():
        return
    held, wanted = (_essence(each) for each in (load_comparison(run_dir), config))
    differs = [name for name in wanted if held[name] != wanted[name]]
    if differs:
        raise InputError(
            f"{run_dir} holds a comparison with other {', '.join(differs)}: set them back, or choose another folder "
            "with --out."
        )


def _essence(config: ComparisonConfig) -> dict[str, Any]:
    values = config.model_dump(mode="json", exclude={*_MAY_CHANGE, "tune"})
    return {**values, "tune": config.tune and config.tune.model_dump(mode="json", exclude={"trials"})}


def keep_config(work: Comparison) -> None:
    """Keep the configuration, so that the folder's name alone goes on."""
    values = {**work.config.model_dump(mode="json", exclude_none=True), "arms": work.config.arms}  # None is a value
    work.run_dir.mkdir(parents=True, exist_ok=True)
    write_text(work.run_dir / COMPARISON_YAML, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def open_ledger(work: Comparison, arms: Sequence[Arm]) -> ComparisonLedger:
    """The trainings in the folder, or new ones that are not written yet.

    Raises:
        InputError: They are of something else.
    """
    path, plan = work.run_dir / JSON, make_plan(work.base, arms)
    old = ComparisonLedger.read(path)
    if old is None:
        return ComparisonLedger(path, plan, work.config.rule)
    held, wanted = old.plan.as_dict(), ComparisonPlan.from_dict(json.loads(json.dumps(plan.as_dict()))).as_dict()
    differs = [name for name in wanted if held[name] != wanted[name]]
    if differs:
        raise InputError(
            f"{path} has trainings with other {', '.join(differs)}: set them back, or choose another folder with --out."
        )
    old.ask(work.config.rule)
    return old
