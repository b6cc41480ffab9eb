"""Whether results of another sweep can stand beside those of this one: what can be checked is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data_prep.errors import InputError
from search.known.source import KnownSource
from search.space import SETTINGS

_REMEDY = "import it without `--as results` (`as: results`), so that its configs are tried anew."


def check_comparable(source: KnownSource, here: Mapping[str, Any]) -> None:
    """Refuse results that mean something else than this sweep's.

    Hyps and those settings that can be searched differ from config to config; :func:`check_config` compares them.

    Args:
        source:
            The results.
        here:
            The identity of this sweep.

    Raises:
        InputError: The source does not say what its values belong to, or they belong to something else (named).
    """
    there = source.identity
    if there is None:
        raise InputError(
            f"{source.name} does not say on which data and for how many epochs its values were reached; give the "
            f"folder of the sweep or its study, or {_REMEDY}"
        )
    for part in ("data", "metric", "mode", "epochs"):
        if there.get(part) != here[part]:
            shown = "" if part == "data" else f" ({there.get(part)}, here {here[part]})"
            raise InputError(f"{source.name}: its results are of another {part}{shown}; {_REMEDY}")
    trained, train = there.get("train", {}), here["train"]
    for name in sorted({*trained, *train} - set(SETTINGS)):
        if trained.get(name) != train.get(name):
            raise InputError(
                f"{source.name}: its results are of another train.{name} ({trained.get(name)}, here "
                f"{train.get(name)}); {_REMEDY}"
            )


def check_config(label: str, other: Mapping[str, Any], base: Mapping[str, Any]) -> None:
    """Refuse the result of a config that differs from this sweep's base where nothing is searched.

    Raises:
        InputError: It does; the first such value is named.
    """
    for name, value in other.items():
        raise InputError(
            f"{label}: its result is of {name} {value}, which is not searched here and is {base.get(name)}; {_REMEDY}"
        )
