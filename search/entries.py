"""What each entry of a space may be, by what it sets: a hyp of YOLOv5 or a training setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from data_prep.silver.rule import refusal
from search.parameters import CategoricalParameter, FloatParameter, IntParameter, Parameter, Searched
from trainable.hyp import Hyp
from trainable.settings import LR_SCHEDULES, OPTIMIZERS, SILVER

SETTINGS = (
    "model",
    "weights",
    "optimizer",
    "lr_schedule",
    "image_size",
    "batch_size",
    "nominal_batch_size",
    "label_smoothing",
    "autoanchor",
    *SILVER,
)
"""Training settings that can be searched, by choices: those that change what a hyp achieves. Those of ``SILVER`` may be
ranges, too."""
PRETRAINED = "pretrained"
"""Not a setting but a switch of ``weights``: true keeps those of the sweep, false starts from scratch."""
SWITCHED = {PRETRAINED: "weights"}
"""What a switch switches."""


def known_target(name: str, parameter: Parameter) -> str:
    """Return the hyp or setting that an entry sets.

    Raises:
        ValueError: It is none, or the entry has the name of another one.
    """
    known = (*Hyp.names(), *SETTINGS, PRETRAINED)
    target = parameter.name or name
    if target not in known:
        near = get_close_matches(target, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(known)}"
        alias = "" if parameter.name else " (or name what it sets, with name: ...)"
        raise ValueError(f"{target} is neither a hyp of YOLOv5 nor a training setting, {hint}{alias}")
    if name != target and name in known:
        raise ValueError(f"{name} sets {target} and has the name of something else, give the entry a name of its own")
    return target


def check_setting(name: str, target: str, parameter: Parameter) -> None:
    """Check that an entry holds nothing but values of its setting.

    Raises:
        ValueError: It is a range where there is none, or a value is none of the setting's.
    """
    if target in SILVER:
        _check_silver(name, SILVER[target], parameter)
        return
    values = parameter.values()
    if values is None:
        raise ValueError(f"{name} is a training setting, which is searched by choices, write choices: [...]")
    legal: Mapping[str, Sequence[Any]] = {
        "optimizer": OPTIMIZERS,
        "lr_schedule": LR_SCHEDULES,
        PRETRAINED: (True, False),
    }
    for value in values:
        if target in legal and (value not in legal[target] or type(value) is not type(legal[target][0])):
            raise ValueError(f"{name} has the choice {value!r}, choose from {', '.join(map(_yaml, legal[target]))}")


def _check_silver(name: str, field: str, parameter: Parameter) -> None:
    """Check an entry of the rule of silver labels; its values may be a range.

    Raises:
        ValueError: A bound or value is none of the setting's.
    """
    if field == "min_boxes" and isinstance(parameter, FloatParameter):
        raise ValueError(f"{name} counts boxes, write type: int beside low and high")
    if isinstance(parameter, FloatParameter | IntParameter):
        stated: Mapping[str, Any] = {"low": parameter.low, "high": parameter.high}
    else:
        stated = {f"value {value!r}": value for value in parameter.values() if value is not None}
    for what, value in stated.items():
        complaint = refusal(field, value)
        if complaint is not None:
            raise ValueError(f"{what} of {name} is {value!r}, {complaint}")


def check_hyp(name: str, parameter: Parameter) -> None:
    """Check that an entry holds nothing but values that a hyp can take.

    Raises:
        ValueError: A value is no number from 0 up.
    """
    values = parameter.values()
    if values is not None:
        numbers = [c for c in values if isinstance(c, int | float) and not isinstance(c, bool)]
        if len(numbers) < len(values) or min(numbers) < 0:
            what = "has choices that are no numbers" if len(values) > 1 else "has a value that is no number"
            raise ValueError(f"{name} {what} from 0 up, as a hyp of YOLOv5 is")
    elif isinstance(parameter, FloatParameter | IntParameter) and parameter.low < 0:
        raise ValueError(f"low of {name} ({parameter.low:g}) is negative, hyps of YOLOv5 start at 0")


def check_centre(name: str, parameter: Searched, centre: Any) -> None:  # noqa: ANN401 - whatever stands in the YAML
    """Check that the centre of a prior is a value that the parameter can take.

    Raises:
        ValueError: It is not.
    """
    if centre is None:
        return
    if isinstance(parameter, CategoricalParameter):
        if centre not in parameter.choices:
            raise ValueError(f"prior.centre of {name} is {centre!r}, choose from {list(parameter.choices)}")
        return
    if not isinstance(centre, int | float) or isinstance(centre, bool) or not parameter.low <= centre <= parameter.high:
        raise ValueError(
            f"prior.centre of {name} is {centre!r}, give a number from {parameter.low:g} to {parameter.high:g}"
        )


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
