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

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from pydantic import Field, field_validator

from data_prep.errors import InputError
from data_prep.validation import FrozenModel, load_model
from search.conditions import check_alternatives, check_conditions, drawing_order, holds
from search.entries import PRETRAINED, SETTINGS, SWITCHED, check_centre, check_hyp, check_setting, known_target
from search.parameters import CategoricalParameter, FixedParameter, IntParameter, Parameter, Searched
from search.priors import ParameterPrior, Prior, SpacePrior

__all__ = ["PRETRAINED", "SETTINGS", "Draw", "Space", "load_space"]

SETS = "sets"
"""Key in the identity of a parameter: the hyp or setting that it sets, where that is not its name."""

Draw = Callable[[str, BaseDistribution], Any]
"""Gives a value to one parameter."""


class Space(FrozenModel):
    """The parameters that are searched, by name; each sets a hyp of YOLOv5, one of ``SETTINGS``, or ``pretrained``."""

    parameters: dict[str, Parameter] = Field(min_length=1)
    """What is searched; all else keeps the values of the base hyp and the training settings."""
    prior: SpacePrior | None = None
    """What is believed about the best values of all parameters that do not say it themselves."""

    @field_validator("parameters")
    @classmethod
    def _suit_their_names(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        for name, parameter in parameters.items():
            target = known_target(name, parameter)
            if target == PRETRAINED or target in SETTINGS:
                check_setting(name, target, parameter)
            else:
                check_hyp(name, parameter)
            if not isinstance(parameter, FixedParameter) and parameter.prior is not None:
                check_centre(name, parameter, parameter.prior.centre)
        return parameters

    @field_validator("parameters")
    @classmethod
    def _conditions_work(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        check_conditions(parameters)
        alternatives: dict[str, dict[str, Any]] = {}
        for name, parameter in parameters.items():
            target = parameter.name or name
            what = SWITCHED.get(target, target)
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

    def targets(self) -> tuple[str, ...]:
        """Return all hyps and settings that trials may differ in, each once."""
        return tuple(dict.fromkeys(SWITCHED.get(target, target) for target in map(self.target, self.parameters)))

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
        setters = {
            n: p for n, p in self.parameters.items() if setting in (self.target(n), SWITCHED.get(self.target(n)))
        }
        values = [
            value if self.target(name) == setting else base if value else None
            for name, parameter in setters.items()
            for value in parameter.values() or ()
        ]
        if all(parameter.when for parameter in setters.values()):
            values.append(base)
        return tuple(dict.fromkeys(values))

    def least(self, setting: str, base: float | None = None) -> float | None:
        """Return the least number that a trial can have for a training setting; None where nothing gives one.

        Args:
            setting: Its name.
            base: Its value where no parameter sets it.
        """
        setters = [parameter for name, parameter in self.parameters.items() if self.target(name) == setting]
        numbers = [
            number
            for parameter in setters
            for number in (parameter.values() or (getattr(parameter, "low", None),))
            if isinstance(number, int | float)
        ]
        if base is not None and all(parameter.when for parameter in setters):
            numbers.append(base)
        return min(numbers, default=None)

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
        return self.walk(lambda name, _: self.start(name, base, known))

    def starts(self, base: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return where the search of every parameter starts, those of other branches than trial 0's included.

        Off trial 0's branch a parameter's own default wins over the base, which speaks of another branch, and one that
        has no legal start is left out.

        Args:
            base: As in :meth:`default_params`.
            known: As in :meth:`default_params`.
        """
        starts = self.default_params(base, known)
        for name, parameter in self._searched().items():
            if name not in starts:
                target = self.target(name)
                with contextlib.suppress(InputError):
                    otherwise = base.get(target, (known or {}).get(target))
                    starts[name] = _checked_start(name, parameter, _own(parameter, otherwise))
        return starts

    def priors(self, starts: Mapping[str, Any]) -> dict[str, Prior]:
        """Return the prior of every parameter that has one.

        Args:
            starts: Where searches start, as :meth:`starts` says: the centres of priors that name none.
        """
        priors: dict[str, Prior] = {}
        for name, parameter in self._searched().items():
            said = parameter.prior or self.prior
            if said is None or not said.confidence:
                continue
            centre = said.centre if isinstance(said, ParameterPrior) else None
            if centre is not None or name in starts:
                priors[name] = Prior(starts[name] if centre is None else centre, said.confidence)
        return priors

    def start(self, name: str, base: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Return where the search of one parameter starts; as in :meth:`default_params`.

        Raises:
            InputError: The value is nowhere, or lies outside the space.
        """
        parameter, target = self.parameters[name], self.target(name)
        if isinstance(parameter, FixedParameter):
            return parameter.value
        return _checked_start(name, parameter, base.get(target, _own(parameter, (known or {}).get(target))))

    def is_searched(self, name: str) -> bool:
        """Whether a parameter is searched, and has no fixed value."""
        return not isinstance(self.parameters[name], FixedParameter)

    def _searched(self) -> dict[str, Searched]:
        return {n: p for n, p in self.parameters.items() if not isinstance(p, FixedParameter)}


def load_space(path: str | Path) -> Space:
    """Read a space YAML.

    Raises:
        InputError: The file is missing, is no YAML, or does not describe a space.
    """
    return load_model(Path(path), Space)


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
    """Return the start that the space itself gives a parameter, else ``otherwise``."""
    if parameter.default is not None:
        return parameter.default
    centre = parameter.prior.centre if parameter.prior else None
    return otherwise if centre is None else centre


def _identity(parameter: Parameter) -> str:
    """The distribution's JSON; a name that is not the key and a condition are keys beside the distribution's own."""
    distribution = distribution_to_json(parameter.distribution())
    sets = {SETS: parameter.name} if parameter.name else {}
    when = {"when": {parent: list(values) for parent, values in sorted(parameter.when.items())}}
    added = sets | (when if parameter.when else {})
    return json.dumps(json.loads(distribution) | added) if added else distribution
