"""What `--set dotted.key=value` says, over what a YAML holds."""

from __future__ import annotations

from typing import Any

import yaml

from data_prep.errors import InputError


def apply_override(values: dict[str, Any], override: str) -> None:
    """Set one ``dotted.key=value`` in nested mappings; whether the key exists is for the model to say.

    Raises:
        InputError: It has no key or no value, its key leads through a value, or the value is no YAML.
    """
    key, equals, text = override.partition("=")
    *parents, leaf = key.strip().split(".")
    if not equals or not all((*parents, leaf)):
        raise InputError(f"--set {override}: write dotted.key=value, for example train.epochs=20.")
    for name in parents:
        inner = values.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {override}: `{name}` holds a value and no keys; leave out what follows it.")
        values = inner
    try:
        values[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {override}: the value is no YAML; quote it.") from error
