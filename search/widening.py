"""A sweep goes on in a wider space: the same parameters, each range around the old one.

A value of the old space means the same in the new one, so every trial counts on. The record of it in the study comes
first, then the file, then the identity (:func:`search.identity.guard`): a kill leaves the old space or the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import optuna

from data_prep.errors import InputError
from data_prep.manifest import read_manifest
from data_prep.silver.export import CONFIG_KEY
from search.assembly import Sweep
from search.config_files import SPACE_YAML
from search.drivers import Driver
from search.keys import WIDENED
from search.parameters import CategoricalParameter, FixedParameter, FloatParameter, IntParameter, Parameter
from search.paths import write_text
from search.space import Space, load_space
from search.study import SweepStudy


def _refuse_below_floor(sweep: Sweep, new: Space, path: Path) -> None:
    """Refuse confidences of silver labels that the data set has no predictions for, before anything is written."""
    least, manifest = new.least("silver_confidence"), read_manifest(Path(sweep.config.data).parent)
    floor = (manifest.config.get(CONFIG_KEY) or {}).get("floor") if manifest else None
    if least is not None and isinstance(floor, int | float) and least < floor:
        raise InputError(
            f"--widen {path}: silver_confidence begins at {least:g} and the predictions of {sweep.config.data} at "
            f"{floor:g}: widen it no further than that."
        )


def widen(sweep: Sweep, study: SweepStudy, driver: Driver, path: Path) -> tuple[str, ...]:
    """Replace the space in a sweep's folder by a wider one; the sweep is to be read and opened again afterwards.

    Args:
        sweep:
            The sweep.
        study:
            Its study.
        driver:
            Who works on it, alone.
        path:
            The YAML of the wider space.

    Returns:
        What is wider, in words; nothing where the space is that wide already.

    Raises:
        InputError: It is not the same space but for wider ranges, or the sweep does not keep a copy of its space.
    """
    kept, new, text = sweep.run_dir / SPACE_YAML, load_space(path), path.read_text(encoding="utf-8")
    if sweep.config.space != kept.resolve():
        raise InputError(f"--widen: {sweep.run_dir}/sweep.yaml names the space {sweep.config.space}: widen it there.")
    wrong, wider = compare(sweep.space, new)
    if wrong:
        raise InputError(
            f"--widen {path}: {'; '.join(wrong)}: a sweep goes on with the same parameters in wider ranges alone; for "
            "anything else start a sweep of its own, which may `start_from` this one."
        )
    _refuse_below_floor(sweep, new, path)
    with driver.alone():
        if wider:
            _record(study.study, new, wider)
        if text != kept.read_text(encoding="utf-8"):  # defaults, gains and priors may differ without a wider range
            write_text(kept, text)
    return wider


def compare(old: Space, new: Space) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a wider space must not change and does, and what is wider, in words."""
    wrong: list[str] = []
    wider: list[str] = []
    for name, parameter in old.parameters.items():
        if name not in new.parameters:
            wrong.append(f"{name}: gone")
            continue
        found = list(_wrong(parameter, new.parameters[name]))
        wrong += [f"{name}: {each}" for each in found]
        if not found:
            wider += [f"{name}: {each}" for each in _wider(parameter, new.parameters[name])]
    wrong += [f"{name}: not in the space so far" for name in new.parameters if name not in old.parameters]
    return tuple(wrong), tuple(wider)


def _wrong(old: Parameter, new: Parameter) -> Iterator[str]:
    """What two entries of a name differ in, but for wider bounds."""
    if old.type != new.type:
        yield f"{new.type} instead of {old.type}"
        return
    if (old.name, old.when) != (new.name, new.when):
        yield "another `name` or `when`"
    match old, new:
        case FixedParameter(), FixedParameter():
            if (old.value, type(old.value)) != (new.value, type(new.value)):
                yield f"fixed to {new.value!r} instead of {old.value!r}"
        case CategoricalParameter(), CategoricalParameter():
            if list(map(repr, old.choices)) != list(map(repr, new.choices)):
                yield "other choices, which one study of Optuna cannot have"
        case ((FloatParameter() | IntParameter()), (FloatParameter() | IntParameter())):
            if old.log != new.log:
                yield "another scale (log)"
            if new.low > old.low or new.high < old.high:
                yield f"narrower ({new.low:g} to {new.high:g} instead of {old.low:g} to {old.high:g})"


def _wider(old: Parameter, new: Parameter) -> Iterator[str]:
    if not isinstance(old, FloatParameter | IntParameter) or not isinstance(new, FloatParameter | IntParameter):
        return
    if (old.low, old.high) != (new.low, new.high):
        yield f"{old.low:g} to {old.high:g} -> {new.low:g} to {new.high:g}"


def _record(study: optuna.Study, space: Space, wider: tuple[str, ...]) -> None:
    """Write down what is about to be done; of one that a kill cut off there is one entry."""
    entries = [entry for entry in study.user_attrs.get(WIDENED, []) if entry["space"] != space.identity()]
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "wider": list(wider), "space": space.identity()}
    study.set_user_attr(WIDENED, [*entries, entry])
