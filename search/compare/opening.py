"""Opens a comparison: checks all that can be checked before any time is spent, and goes on with what is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from search.compare.arms import Arm, checked_arm
from search.compare.config import ComparisonConfig
from search.compare.kept import essence, is_begun, is_trained, kept, load_base
from search.compare.ledger import JSON, ComparisonLedger
from search.compare.plan import ComparisonPlan, make_plan, shared
from search.compare.tune import check_tune
from search.config import SweepConfig
from search.config_files import SWEEP_YAML, check_files
from search.paths import join
from trainable.hyp import Hyp


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
        """Path or URI of the checkpoints; another comparison has others, whatever its name and folder."""
        key = hashlib.sha256(f"{self.run_dir}\n{json.dumps(plan.as_dict(), sort_keys=True)}".encode()).hexdigest()[:8]
        path = self.base.storage_path
        return join(path, f"{self.config.name}-{key}-comparison") if path else str(self.run_dir / "ray" / key)


def open_comparison(config: ComparisonConfig, run_dir: Path) -> Comparison:
    """Read and check what a comparison needs; what a folder has begun with holds, whatever became of the originals.

    Raises:
        InputError: Something in the configuration is wrong, or the folder holds something else.
    """
    _refuse_place(run_dir)
    base = load_base(config)
    _check_base(base)
    if is_begun(run_dir):
        config, base = _gone_on(config, base, run_dir)
    checked = [checked_arm(arm, base) for arm in config.ordered()]
    arms = tuple(arm for arm, _ in checked)
    if config.tune is not None and not is_trained(run_dir):
        check_tune(arms, config, config.tune)
    megabytes = {arm.name: _megabytes(arm, base, settings.model) for arm, settings in checked}
    small = tuple(arm for arm in arms if megabytes[arm.name] <= config.max_megabytes)
    large = tuple(arm for arm in arms if megabytes[arm.name] > config.max_megabytes)
    if len(small) < 2 or arms[0] in large:
        names = ", ".join(f"{arm.name} {megabytes[arm.name]:.1f} MB" for arm in large)
        raise InputError(
            f"max_megabytes is {config.max_megabytes:g} and {names} is more: the reference and another arm must be "
            "left; take smaller models, or raise it."
        )
    return Comparison(config, base, run_dir, small, large, megabytes)


def _refuse_place(run_dir: Path) -> None:
    for path in (run_dir, *run_dir.parents):
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is no folder: choose another place with --out.")
    if (run_dir / SWEEP_YAML).exists():
        raise InputError(f"{run_dir} holds a sweep: choose another folder with --out.")


def _check_base(base: SweepConfig) -> None:
    check_files(base)
    if base.objectives:
        raise InputError("objectives: a comparison is by one metric; leave them out with `set: {objectives: []}`.")


def _gone_on(config: ComparisonConfig, base: SweepConfig, run_dir: Path) -> tuple[ComparisonConfig, SweepConfig]:
    """The configuration that a folder was begun with; of the new one the seeds and, while it tunes, the trials.

    Raises:
        InputError: They are of different comparisons.
    """
    held, held_base = kept(run_dir)
    was, now = essence(held, held_base), essence(config, base)
    differs = [name for name in now if was[name] != now[name]]
    if held.tune and config.tune and is_trained(run_dir) and held.tune.trials != config.tune.trials:
        differs.append("tune.trials (the arms are tuned and in training)")
    if differs:
        raise InputError(
            f"{run_dir} holds a comparison with other {', '.join(differs)}: set them back, or choose another folder "
            "with --out."
        )
    tune = held.tune and config.tune and held.tune.model_copy(update={"trials": config.tune.trials})
    seeds = {"seeds": config.seeds, "max_seeds": config.max_seeds}
    return held.model_copy(update={**seeds, "tune": tune}), held_base


def _megabytes(arm: Arm, base: SweepConfig, model: str) -> float:
    """The size of an arm's weights in 10^6 bytes."""
    from trainable.footprint import weights_megabytes  # loads torch

    hyp = Hyp.from_mapping({**base.base_hyp().as_dict(), **arm.hyp})
    return weights_megabytes(model, len(read_data_yaml(Path(base.data)).names), hyp.anchors)


def held_ledger(work: Comparison) -> ComparisonLedger | None:
    """The trainings in the folder; None where none began.

    Raises:
        InputError: The data or weights that they began with are others now, or the file cannot be read.
    """
    path = work.run_dir / JSON
    found = ComparisonLedger.read(path)
    if found is None:
        return None
    now = json.loads(json.dumps(shared(work.base, [found.plan.arm(trial) for trial in found.plan.trials])))
    differs = [name for name in now if found.plan.shared.get(name) != now[name]]
    if differs:
        raise InputError(
            f"{path} has trainings with other {', '.join(differs)}: put them back, or choose another folder with --out."
        )
    found.ask(work.config.rule)
    return found


def new_ledger(work: Comparison, arms: Sequence[Arm]) -> ComparisonLedger:
    """Trainings that are not written yet."""
    return ComparisonLedger(work.run_dir / JSON, make_plan(work.base, arms), work.config.rule)
