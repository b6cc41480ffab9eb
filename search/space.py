"""The search space: all translation between the space YAML, Optuna's distributions and a hyp.

A space YAML names parameters, each a hyp of YOLOv5 or a training setting::

    parameters:
      lr0: {low: 1.0e-5, high: 0.1, log: true, gain: 1, default: 0.01}
      anchors: {type: int, low: 2, high: 10, gain: 2, default: 3}
      optimizer: {choices: [SGD, AdamW], default: SGD}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from optuna.distributions import BaseDistribution
from pydantic import AfterValidator, Field, field_validator

from data_prep.errors import InputError
from data_prep.validation import FrozenModel, load_model
from search.parameters import CategoricalParameter, IntParameter, Parameter
from trainable.hyp import Hyp
from trainable.settings import LR_SCHEDULES, OPTIMIZERS

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
)
"""Training settings that can be searched, as categorical parameters: those that change what a hyp achieves."""


def _known_name(name: str) -> str:
    known = (*Hyp.names(), *SETTINGS)
    if name not in known:
        near = get_close_matches(name, known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(known)}"
        raise ValueError(f"is neither a hyp of YOLOv5 nor a training setting, {hint}")
    return name


class Space(FrozenModel):
    """The parameters that are searched, by name; each name is a hyp of YOLOv5 or one of ``SETTINGS``."""

    parameters: dict[Annotated[str, AfterValidator(_known_name)], Parameter] = Field(min_length=1)
    """What is searched; all else keeps the values of the base hyp and the training settings."""

    @field_validator("parameters")
    @classmethod
    def _suit_their_names(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        for name, parameter in parameters.items():
            if name in SETTINGS:
                _check_setting(name, parameter)
            else:
                _check_hyp(name, parameter)
        return parameters

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what Optuna samples from, by name; the argument of ``study.ask``."""
        return {name: parameter.distribution() for name, parameter in self.parameters.items()}

    def defaults(self) -> dict[str, Any]:
        """Return the defaults that the space itself names."""
        return {n: p.default for n, p in self.parameters.items() if p.default is not None}

    def gains(self) -> dict[str, float]:
        """Return the GA's mutation gain of every parameter."""
        return {name: parameter.gain for name, parameter in self.parameters.items()}

    def split(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a trial's values as hyps and as training settings.

        Raises:
            InputError: A value belongs to no parameter of this space.
        """
        foreign = [name for name in params if name not in self.parameters]
        if foreign:
            raise InputError(
                f"{', '.join(foreign)}: not in this space, which holds {', '.join(self.parameters)}; "
                "open the study with the space that it was made with."
            )
        hyps = {name: value for name, value in params.items() if name not in SETTINGS}
        return hyps, {name: value for name, value in params.items() if name in SETTINGS}

    def default_params(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """Return the base values as the parameters of a trial: what trial 0 is enqueued with.

        Args:
            base: The base hyp by name, with the base settings among them where settings are searched. What it
                lacks comes from the parameter's own default.

        Raises:
            InputError: A value is in neither, or lies outside the space; it is never moved inside in silence.
        """
        return {name: _default(name, parameter, base) for name, parameter in self.parameters.items()}


def load_space(path: str | Path) -> Space:
    """Read a space YAML.

    Raises:
        InputError: The file is missing, is no YAML, or does not describe a space.
    """
    return load_model(Path(path), Space)


def _check_setting(name: str, parameter: Parameter) -> None:
    if not isinstance(parameter, CategoricalParameter):
        raise ValueError(f"{name} is a training setting, which is searched by choices, write choices: [...]")  # noqa: TRY004 - pydantic reads it
    legal: Mapping[str, Sequence[str]] = {"optimizer": OPTIMIZERS, "lr_schedule": LR_SCHEDULES}
    for choice in parameter.choices:
        if name in legal and choice not in legal[name]:
            raise ValueError(f"{name} has the choice {choice!r}, choose from {', '.join(legal[name])}")


def _check_hyp(name: str, parameter: Parameter) -> None:
    if isinstance(parameter, CategoricalParameter):
        numbers = [c for c in parameter.choices if isinstance(c, int | float) and not isinstance(c, bool)]
        if len(numbers) < len(parameter.choices) or min(numbers) < 0:
            raise ValueError(f"{name} has choices that are no numbers from 0 up, as a hyp of YOLOv5 is")
    elif parameter.low < 0:
        raise ValueError(f"low of {name} ({parameter.low:g}) is negative, hyps of YOLOv5 start at 0")


def _default(name: str, parameter: Parameter, base: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the value of one parameter to start from, checked against its bounds or choices."""
    value = base.get(name, parameter.default)
    if isinstance(parameter, CategoricalParameter):
        if value not in parameter.choices:
            raise InputError(
                f"{name} starts at {value!r}, which is none of the choices {list(parameter.choices)}: "
                "add it to the space or change the start."
            )
        return value
    if value is None:
        raise InputError(f"{name} has no default, neither in the base hyp nor in the space: give one.")
    if not parameter.low <= value <= parameter.high:
        raise InputError(
            f"{name} starts at {value:g}, outside {parameter.low:g} to {parameter.high:g}: "
            "widen its bounds in the space or change the base hyp."
        )
    return _whole(name, value) if isinstance(parameter, IntParameter) else float(value)


def _whole(name: str, value: float) -> int:
    if value != int(value):
        raise InputError(f"{name} starts at {value:g}, but the space makes it an int: give a whole number.")
    return int(value)
