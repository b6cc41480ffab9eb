"""What a study is for: its identity, and the guard that refuses a study that was made for something else."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from data_prep.errors import InputError
from search.keys import WIDENED
from trainable.settings import SILVER

if TYPE_CHECKING:
    from search.config import SweepConfig
    from search.space import Space

_MACHINE_SETTINGS = ("data", "device", "workers", "cache", "cache_dir", "amp", "broken_images")
"""Training settings that say where a training runs, or what becomes of a damaged data set, rather than what it is; they
may change on resume."""
_BEFORE = {"path": "exact", "weights_sha256": None, **dict.fromkeys(SILVER)}
"""What trainings did before these settings existed: studies of that time do not name them."""


def identity(config: SweepConfig, space: Space) -> dict[str, Any]:
    """What must stay the same for the values of a study to mean the same."""
    train = config.settings().as_dict()
    return {
        "space": dict(sorted(space.identity().items())),
        "data": fingerprint(Path(config.data)),
        "metric": config.metric,
        "mode": config.mode,
        "objectives": list(map(str, config.objectives)) or None,
        "constraints": {name: str(limit) for name, limit in config.constraints.limits().items()} or None,
        "epochs": train.pop("epochs"),
        "hyp": config.base_hyp().as_dict(),
        "train": {name: value for name, value in train.items() if name not in _MACHINE_SETTINGS},
    }


def fingerprint(data: Path) -> str:
    """Digest of a data set: of its manifest where it has one, else of its ``data.yaml``. The folder may move."""
    manifest = data.with_name("manifest.json")
    return hashlib.sha256((manifest if manifest.is_file() else data).read_bytes()).hexdigest()


def guard(study: optuna.Study, wanted: dict[str, Any]) -> None:
    """Refuse a study that was made for something else; a new one is marked with what it is for."""
    held = study.user_attrs.get("identity")
    if held is None:
        study.set_user_attr("key", secrets.token_hex(4))
        study.set_user_attr("identity", wanted)
        return
    wanted = json.loads(json.dumps(wanted))
    held = {**held, "train": {**_BEFORE, **held.get("train", {})}}
    widened = _is_widened(study, wanted) and held.get("space") != wanted["space"]
    if widened:
        held["space"] = wanted["space"]
    for part, value in wanted.items():
        if held.get(part) != value:
            shown = f" ({_difference(held.get(part), value)})" if part != "data" else ""
            raise InputError(
                f"study `{study.study_name}` was made with another {part}{shown}: "
                "set it back, or start a sweep of its own with another name and folder."
            )
    if widened:
        study.set_user_attr("identity", held)


def _is_widened(study: optuna.Study, wanted: dict[str, Any]) -> bool:
    """Whether the space is the one that was last recorded as the wider one; the identity then follows."""
    entries = study.user_attrs.get(WIDENED, [])
    return bool(entries) and entries[-1]["space"] == wanted["space"]


def _difference(held: Any, wanted: Any) -> str:  # noqa: ANN401  two values of a part of the identity
    """What differs: the keys of mappings, else both values."""
    if isinstance(held, dict) and isinstance(wanted, dict):
        return ", ".join(name for name in sorted({*held, *wanted}) if held.get(name) != wanted.get(name))
    return f"{held}, now {wanted}"
