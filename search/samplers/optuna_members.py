"""Optuna's other samplers as members, by the names of their classes and with the options of their constructors."""

from __future__ import annotations

import functools
import inspect
from typing import Any, ClassVar

import optuna.samplers
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler
from pydantic import create_model

from search.samplers.brute_force import FiniteBruteForceSampler
from search.samplers.registry import MEMBERS, MemberOptions, Setting, quietly, seeded

REFUSED = {
    "TPESampler": "write `tpe`",
    "GPSampler": "write `gp`",
    "CmaEsSampler": "write `cmaes`",
    "QMCSampler": "write `qmc`",
    "RandomSampler": "write `random`",
    "GridSampler": "write `grid`",
    "NSGAIIISampler": "it is made for several goals; write `nsga3`, with objectives",
    "PartialFixedSampler": "it wraps another sampler; leave the parameter out of the space instead",
    "BaseGASampler": "it is a base of samplers and none itself",
    "BaseSampler": "it is a base of samplers and none itself",
}
"""Samplers of Optuna's that are no members, and what to do instead."""

_PLAIN: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}
_NOT_OPTIONS = ("self", "seed")


class OptunaOptions(MemberOptions):
    """Options of one of Optuna's samplers; a subclass for each is made from its signature."""

    sampler: ClassVar[type[BaseSampler]]

    def build(self, setting: Setting) -> BaseSampler:
        """Return the sampler, seeded anew by each trial."""
        _check_finite(self.sampler, setting)
        return seeded(functools.partial(quietly, self.sampler, self.model_dump()), setting)


def register() -> None:
    """Add Optuna's samplers to the members: all that it has, later ones, too, but those that are refused."""
    for name in optuna.samplers.__all__:
        found = getattr(optuna.samplers, name)
        if inspect.isclass(found) and issubclass(found, BaseSampler) and name not in REFUSED:
            MEMBERS[name] = _options_of(name, FiniteBruteForceSampler if name == "BruteForceSampler" else found)


def _options_of(name: str, sampler: type[BaseSampler]) -> type[OptunaOptions]:
    """Return the model of a constructor's arguments, of those that a YAML can hold."""
    signature = inspect.signature(sampler.__init__)
    fields: dict[str, Any] = {
        argument.name: (_type_of(str(argument.annotation)), argument.default)
        for argument in signature.parameters.values()
        if argument.name not in _NOT_OPTIONS and _type_of(str(argument.annotation)) is not None
    }
    made = create_model(name, __base__=OptunaOptions, __doc__=f"Options of Optuna's ``{name}``.", **fields)
    made.sampler = sampler
    return made


def _type_of(annotation: str) -> Any:  # noqa: ANN401 - a type or a union of types
    """Return the type that an annotation names, None if it is no plain one: objects and functions are no options."""
    parts = [part.strip() for part in annotation.split("|")]
    kinds = [_PLAIN.get(part) for part in parts if part != "None"]
    if len(kinds) != 1 or kinds[0] is None:
        return None
    return kinds[0] | None if "None" in parts else kinds[0]


def _check_finite(sampler: type[BaseSampler], setting: Setting) -> None:
    """Refuse to search an infinite space exhaustively, before the first trial instead of in it."""
    if not issubclass(sampler, FiniteBruteForceSampler):
        return
    endless = [
        name for name, space in setting.distributions.items() if isinstance(space, FloatDistribution) and not space.step
    ]
    if endless:
        raise ValueError(f"it tries every value, and {', '.join(endless)} may be any number: take `grid` instead")
