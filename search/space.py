"""The search space: all translation between the space YAML, Optuna's distributions and a hyp.

A space YAML names parameters, each a hyp of YOLOv5 or a training setting::

    parameters:
      lr0: {low: 1.0e-5, high: 0.1, log: true, gain: 1, default: 0.01}
      anchors: {type: int, low: 2, high: 10, gain: 2, default: 3}
      optimizer: {choices: [SGD, AdamW], default: SGD}
      momentum: {low: 0.6, high: 0.98, when: {optimizer: SGD}}
      beta1: {name: momentum, low: 0.8, high: 0.95, when: {optimizer: AdamW}}
      fliplr: {value: 0.5}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from pydantic import Field, field_validator

from data_prep.errors import InputError
from data_prep.validation import FrozenModel, load_model
from search.conditions import check_alternatives, check_conditions, drawing_order, holds
from search.parameters import CategoricalParameter, FixedParameter, FloatParameter, IntParameter, Parameter, Searched
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
PRETRAINED = "pretrained"
"""Not a setting but a switch of ``weights``: true keeps those of the sweep, false starts from scratch."""

Draw = Callable[[str, BaseDistribution], Any]
"""Gives a value to one parameter."""


class Space(FrozenModel):
    """The parameters that are searched, by name; each sets a hyp of YOLOv5, one of ``SETTINGS``, or ``pretrained``."""

    parameters: dict[str, Parameter] = Field(min_length=1)
    """What is searched; all else keeps the values of the base hyp and the training settings."""

    @field_validator("parameters")
    @classmethod
    def _suit_their_names(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        for name, parameter in parameters.items():
            target = _known_target(name, parameter)
            if target == PRETRAINED or target in SETTINGS:
                _check_setting(name, target, parameter)
            else:
                _check_hyp(name, parameter)
        return parameters

    @field_validator("parameters")
    @classmethod
    def _conditions_work(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        check_conditions(parameters)
        alternatives: dict[str, dict[str, Any]] = {}
        for name, parameter in parameters.items():
            target = parameter.name or name
            what = "weights" if target == PRETRAINED else target
            alternatives.setdefault(what, {})[name] = parameter.when
        check_alternatives(alternatives)
        return parameters

    def walk(self, draw: Draw) -> dict[str, Any]:
        """Give a value to every parameter whose condition holds, parents before their children.

        The one place that knows which parameters a trial has and in which order they are drawn.

        Args:
            draw: Asked once for each of them, in order.

        Returns:
            The values by the parameters' names.
        """
        params: dict[str, Any] = {}
        for name in drawing_order({name: parameter.when for name, parameter in self.parameters.items()}):
            parameter = self.parameters[name]
            if holds(parameter.when, params):
                params[name] = draw(name, parameter.distribution())
        return params

    def is_whole(self, params: Mapping[str, Any]) -> bool:
        """Whether a trial has a value for all that its conditions ask for."""
        try:
            self.walk(lambda name, _: params[name])
        except KeyError:
            return False
        return True

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return what Optuna samples from, by name; a trial has those of which the condition holds."""
        return {name: parameter.distribution() for name, parameter in self.parameters.items()}

    def identity(self) -> dict[str, str]:
        """Return what makes a value of this space mean something, by name: two spaces of one identity are one."""
        return {name: _identity(parameter) for name, parameter in self.parameters.items()}

    def target(self, name: str) -> str:
        """Return the hyp or setting that a parameter sets."""
        return self.parameters[name].name or name

    def defaults(self) -> dict[str, Any]:
        """Return the defaults that the space itself names."""
        return {n: p.default for n, p in self._searched().items() if p.default is not None}

    def gains(self) -> dict[str, float]:
        """Return the GA's mutation gain of every parameter that is searched."""
        return {name: parameter.gain for name, parameter in self._searched().items()}

    def possible(self, setting: str, base: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever the setting holds
        """Return every value that a training setting can take in a trial.

        Args:
            setting: Its name.
            base: Its value where no parameter sets it.
        """
        setters = [p for name, p in self.parameters.items() if self.target(name) == setting]
        values = [value for parameter in setters for value in parameter.values() or ()]
        if setting == "weights" and (switches := self.possible(PRETRAINED, None)) != (None,):
            values += [base if switch else None for switch in switches if switch is not None]
        if not values or all(parameter.when for parameter in setters):
            values.append(base)
        return tuple(dict.fromkeys(values))

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
        values = {self.target(name): value for name, value in params.items()}
        settings = {name: value for name, value in values.items() if name in SETTINGS}
        if values.get(PRETRAINED) is False:
            settings |= {"weights": None, "weights_sha256": None}
        return {name: value for name, value in values.items() if name not in (*SETTINGS, PRETRAINED)}, settings

    def default_params(self, base: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the base values as the parameters of a trial: what trial 0 is enqueued with.

        Args:
            base: Hyps and settings by name; they win over the defaults of the parameters.
            known: More of them, for what has neither a base value nor a default.

        Raises:
            InputError: A value is nowhere, or lies outside the space; it is never moved inside in silence.
        """
        return self.walk(lambda name, _: self._start(name, base, known or {}))

    def starts(self, base: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return where the search of every parameter starts, those of other branches than trial 0's included.

        Args:
            base, known: As in :meth:`default_params`. Off trial 0's branch a parameter's own default wins over them,
                and one that has no legal start is left out.
        """
        starts = self.default_params(base, known)
        for name, parameter in self._searched().items():
            if name in starts:
                continue
            own = {} if parameter.default is None else {self.target(name): parameter.default}
            try:
                starts[name] = self._start(name, {**base, **own}, known or {})
            except InputError:
                continue
        return starts

    def _start(self, name: str, base: Mapping[str, Any], known: Mapping[str, Any]) -> Any:  # noqa: ANN401
        parameter, target = self.parameters[name], self.target(name)
        if isinstance(parameter, FixedParameter):
            return parameter.value
        return _checked_start(name, parameter, base.get(target, _own(parameter, known.get(target))))

    def _searched(self) -> dict[str, Searched]:
        return {n: p for n, p in self.parameters.items() if not isinstance(p, FixedParameter)}


def load_space(path: str | Path) -> Space:
    """Read a space YAML.

    Raises:
        InputError: The file is missing, is no YAML, or does not describe a space.
    """
    return load_model(Path(path), Space)


def _known_target(name: str, parameter: Parameter) -> str:
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


def _check_setting(name: str, target: str, parameter: Parameter) -> None:
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


def _check_hyp(name: str, parameter: Parameter) -> None:
    values = parameter.values()
    if values is not None:
        numbers = [c for c in values if isinstance(c, int | float) and not isinstance(c, bool)]
        if len(numbers) < len(values) or min(numbers) < 0:
            what = "has choices that are no numbers" if len(values) > 1 else "has a value that is no number"
            raise ValueError(f"{name} {what} from 0 up, as a hyp of YOLOv5 is")
    elif isinstance(parameter, FloatParameter | IntParameter) and parameter.low < 0:
        raise ValueError(f"low of {name} ({parameter.low:g}) is negative, hyps of YOLOv5 start at 0")


def _checked_start(name: str, parameter: Searched, value: Any) -> Any:  # noqa: ANN401
    """Return the value of one parameter to start from, checked against its bounds or choices."""
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


def _own(parameter: Searched, otherwise: Any) -> Any:  # noqa: ANN401
    return otherwise if parameter.default is None else parameter.default


def _identity(parameter: Parameter) -> str:
    """The distribution, as it always was; with what conditions and other names add to its meaning."""
    distribution = distribution_to_json(parameter.distribution())
    added = [f"sets {parameter.name}"] if parameter.name else []
    added += [f"when {parent} in {list(values)}" for parent, values in sorted(parameter.when.items())]
    return "; ".join([distribution, *added])


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
