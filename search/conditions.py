"""Conditions between parameters: which are drawn at all, in which order, and what cannot work.

A condition names parents and, for each, the values at which it holds: ``when: {optimizer: [SGD]}``. A parameter is
drawn if all its parents were drawn and took one of these values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import Any, Protocol

Condition = Mapping[str, Sequence[Any]]
"""Parent's name to the values at which the condition holds; an empty one always holds."""


class Conditional(Protocol):
    """What a parameter has to say about conditions."""

    @property
    def when(self) -> Condition:
        """When it is drawn."""

    def values(self) -> Sequence[Any] | None:
        """Its possible values, None where there are too many to name."""


def holds(condition: Condition, params: Mapping[str, Any]) -> bool:
    """Whether a condition holds for the values drawn so far."""
    return all(parent in params and params[parent] in values for parent, values in condition.items())


def drawing_order(conditions: Mapping[str, Condition]) -> tuple[str, ...]:
    """Return the names, every parent before its children, else in the given order.

    Args:
        conditions: Of every name; they have been checked and go in no circle.
    """
    order: dict[str, None] = {}

    def place(name: str) -> None:
        if name not in order:
            for parent in conditions[name]:
                place(parent)
            order[name] = None

    for name in conditions:
        place(name)
    return tuple(order)


def exclude_each_other(first: Condition, second: Condition) -> bool:
    """Whether two conditions visibly never hold together: one parent, no value in common."""
    return any(not set(first[parent]) & set(second[parent]) for parent in first.keys() & second.keys())


def check_conditions(parameters: Mapping[str, Conditional]) -> None:
    """Check every condition of a space.

    Raises:
        ValueError: A parent is unknown or has no values to name, a value is none of the parent's, or conditions go in
            a circle.
    """
    for name, parameter in parameters.items():
        for parent, wanted in parameter.when.items():
            if parent not in parameters:
                near = get_close_matches(parent, parameters)
                hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(parameters)}"
                raise ValueError(f"{name} is searched when {parent}, which is no parameter of this space, {hint}")
            _check_values(name, parent, wanted, parameters[parent].values())
    _check_acyclic({name: parameter.when for name, parameter in parameters.items()})


def check_alternatives(alternatives: Mapping[str, Mapping[str, Condition]]) -> None:
    """Check that never two parameters set the same thing.

    Args:
        alternatives: Of every hyp or setting, the parameters that set it, with their conditions.

    Raises:
        ValueError: Two of them could be drawn together.
    """
    for target, conditions in alternatives.items():
        for (first, one), (second, other) in combinations(conditions.items(), 2):
            if not exclude_each_other(one, other):
                raise ValueError(
                    f"{first} and {second} both set {target} and could be drawn together, "
                    "give each a `when` on the same parameter with other values"
                )


def _check_values(name: str, parent: str, wanted: Sequence[Any], possible: Sequence[Any] | None) -> None:
    if possible is None:
        raise ValueError(f"{name} is searched when {parent}, which is a range, a condition needs choices or a value")
    if not wanted:
        raise ValueError(f"{name} is searched when {parent} is none of nothing, name at least one value")
    for value in wanted:
        if value not in possible:
            known = ", ".join(map(repr, possible))
            raise ValueError(f"{name} is searched when {parent} is {value!r}, which it never is, choose from {known}")


def _check_acyclic(conditions: Mapping[str, Condition]) -> None:
    try:
        TopologicalSorter(conditions).prepare()
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"conditions go in a circle ({circle}), take one `when` of them out") from None
