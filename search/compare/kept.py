"""What a comparison's folder keeps of its configuration: enough to go on from the folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from search.compare.config import COMPARISON_YAML, ComparisonConfig, load_comparison
from search.compare.ledger import JSON
from search.config import SweepConfig, load_sweep_config
from search.config_files import HYP_YAML, SPACE_YAML, SWEEP_YAML
from search.identity import identity
from search.paths import write_text
from search.space import load_space

BASE, TUNE = "base", "tune"
"""Folders of the sweep's configuration that the arms share, and of the arms' own sweeps."""
_SPACE = "tune.yaml"


def load_base(config: ComparisonConfig) -> SweepConfig:
    """The sweep's configuration that the arms share."""
    return load_sweep_config(config.sweep, config.overrides())


def keep(config: ComparisonConfig, base: SweepConfig, run_dir: Path) -> None:
    """Write the configuration, resolved, and copies of what it names; ``comparison.yaml`` last."""
    folder = run_dir / BASE
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _files_of(base).items():
        write_text(folder / name, text)
    values = {**config.model_dump(mode="json", exclude_none=True), "arms": config.arms}  # None is a value there
    values |= {"sweep": f"{BASE}/{SWEEP_YAML}", "set": {}}
    if config.tune is not None:
        write_text(folder / _SPACE, config.tune.space.read_text(encoding="utf-8"))
        values["tune"] = {**values["tune"], "space": f"{BASE}/{_SPACE}"}
    write_text(run_dir / COMPARISON_YAML, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _files_of(base: SweepConfig) -> dict[str, str]:
    """The sweep's YAML as it was stated, with absolute paths, and what it names.

    Not as a sweep keeps it, with every default resolved: the arms' sweeps may have other epochs, and rungs by them.
    """
    values = base.model_dump(mode="json", exclude_unset=True) | {"space": SPACE_YAML}
    files = {SPACE_YAML: base.space.read_text(encoding="utf-8")}
    if base.hyp is not None:
        files[HYP_YAML] = base.hyp.read_text(encoding="utf-8")
        values["hyp"] = HYP_YAML
    return {**files, SWEEP_YAML: yaml.safe_dump(values, sort_keys=False, allow_unicode=True)}


def kept(run_dir: Path) -> tuple[ComparisonConfig, SweepConfig]:
    """What :func:`keep` wrote.

    Raises:
        InputError: It is gone or cannot be read.
    """
    config = load_comparison(run_dir)
    return config, load_base(config)


def is_trained(run_dir: Path) -> bool:
    """Whether the training of arms over the seeds has begun."""
    return (run_dir / JSON).exists()


def is_begun(run_dir: Path) -> bool:
    """Whether anything was trained, be it to tune."""
    return is_trained(run_dir) or any(run_dir.glob(f"{TUNE}/*/{SWEEP_YAML}"))


def essence(config: ComparisonConfig, base: SweepConfig) -> dict[str, Any]:
    """What must stay the same for a folder to be gone on with, by names that a message can show."""
    same = identity(base, load_space(base.space))
    found = {
        "reference": config.ordered()[0].name,
        "arms": config.arms,
        "smallest_gain": config.smallest_gain,
        "max_megabytes": config.max_megabytes,
        **{name: same[name] for name in ("data", "metric", "mode", "epochs", "hyp", "train")},
        "tune": None,
    }
    if config.tune is None:
        return found
    space = load_space(config.tune.space)
    how = base.model_dump(mode="json", include={"sampler", "scheduler", "seed"})
    return {**found, "tune": {"space": space.model_dump(mode="json"), "set": config.tune.set, **how}}
