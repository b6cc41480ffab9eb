"""The kinds of parameters that a space can hold, each checked as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial
from pydantic import (
    Discriminator,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
    ValidationInfo,
    field_validator,
)

from data_prep.validation import FrozenModel
from search.priors import ParameterPrior

Choice = StrictBool | StrictInt | FiniteFloat | StrictStr | None


class _Entry(FrozenModel):
    """What every entry of a space has."""

    name: str | None = None
    """The hyp or setting that it sets; None: that of its key. Several entries may set one, under other conditions."""
    when: dict[str, tuple[Choice, ...]] = Field(default_factory=dict)
    """Drawn only when each of these parameters took one of the values; a single value needs no list."""

    @field_validator("when", mode="before")
    @classmethod
    def _accept_one_value(cls, when: Any) -> Any:  # noqa: ANN401 - whatever stands in the YAML
        if not isinstance(when, Mapping):
            return when
        return {parent: v if isinstance(v, list | tuple) else (v,) for parent, v in when.items()}


class FixedParameter(_Entry):
    """A value that is not searched; it overrides the base."""

    type: Literal["fixed"] = "fixed"
    """Kind of the parameter; may be left out."""
    value: Choice
    """The value."""

    def distribution(self) -> BaseDistribution:
        """Return a distribution of one value: it stands among a trial's parameters, and no sampler is asked."""
        match self.value:
            case float(number):
                return FloatDistribution(number, number)
            case int(whole) if not isinstance(whole, bool):
                return IntDistribution(whole, whole)
            case choice:
                return CategoricalDistribution((choice,))

    def values(self) -> tuple[Choice, ...]:
        """Return its one value."""
        return (self.value,)


class _Parameter(_Entry):
    """What every kind of searched parameter has."""

    gain: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """How strongly the GA mutates it, 0 = never; other samplers do not use it."""
    prior: ParameterPrior | None = None
    """What is believed about its best value; None takes that of the space, if it has one."""


class _Range(_Parameter):
    """A number between two bounds, both included."""

    low: FiniteFloat
    """Smallest value."""
    high: FiniteFloat
    """Largest value."""
    log: bool = False
    """Whether samplers see it on a logarithmic scale; needs ``low`` above 0."""
    default: FiniteFloat | None = None
    """Where the search starts unless the sweep's hyp file or ``train`` says; None leaves it to YOLOv5's default."""

    def values(self) -> None:
        """Return None: there are too many values to name."""

    # Each check stands at the field that comes last in it, so that the message names that field. A field that
    # is itself wrong is absent from ``info.data``: its own message comes first.
    @field_validator("high")
    @classmethod
    def _not_upside_down(cls, high: float, info: ValidationInfo) -> float:
        low = info.data.get("low", high)
        if high < low:
            raise ValueError(f"lies below low ({low:g}), swap the two")
        return high

    @field_validator("log")
    @classmethod
    def _log_is_possible(cls, log: bool, info: ValidationInfo) -> bool:
        low = info.data.get("low", 1.0)
        if log and low <= 0:
            raise ValueError(f"a logarithmic scale needs low above 0, and low is {low:g}, raise it or drop log")
        return log

    @field_validator("default")
    @classmethod
    def _default_is_inside(cls, default: float | None, info: ValidationInfo) -> float | None:
        if default is None:
            return None
        low, high = info.data.get("low", default), info.data.get("high", default)
        if not low <= default <= high:
            raise ValueError(f"lies outside {low:g} to {high:g}, widen the bounds or change the default")
        return default


class FloatParameter(_Range):
    """A real number."""

    type: Literal["float"] = "float"
    """Kind of the parameter; may be left out."""

    def distribution(self) -> FloatDistribution:
        """Return what Optuna samples it from."""
        return FloatDistribution(self.low, self.high, log=self.log)


class IntParameter(_Range):
    """A whole number."""

    type: Literal["int"]
    """Kind of the parameter."""
    low: int
    """Smallest value."""
    high: int
    """Largest value."""
    default: int | None = None
    """Where the search starts unless the sweep's hyp file or ``train`` says; None leaves it to YOLOv5's default."""

    def distribution(self) -> IntDistribution:
        """Return what Optuna samples it from."""
        return IntDistribution(self.low, self.high, log=self.log)


class CategoricalParameter(_Parameter):
    """One of several values without order."""

    type: Literal["categorical"] = "categorical"
    """Kind of the parameter; may be left out."""
    choices: tuple[Choice, ...] = Field(min_length=1)
    """The values, each once."""
    default: Choice = None
    """Where the search starts; None takes it from the base settings (unless None is a choice)."""

    @field_validator("choices")
    @classmethod
    def _each_once(cls, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        # Optuna takes True, 1 and 1.0 for one choice, as == does.
        twice = [choice for index, choice in enumerate(choices) if choice in choices[:index]]
        if twice:
            raise ValueError(f"{twice[0]!r} stands there twice, name each value once")
        return choices

    @field_validator("default")
    @classmethod
    def _default_is_a_choice(cls, default: Choice, info: ValidationInfo) -> Choice:
        choices = info.data.get("choices", (default,))
        if default is not None and default not in choices:
            raise ValueError(f"is none of the choices {list(choices)}, add it or change the default")
        return default

    def distribution(self) -> CategoricalDistribution:
        """Return what Optuna samples it from."""
        return CategoricalDistribution(self.choices)

    def values(self) -> tuple[Choice, ...]:
        """Return the choices."""
        return self.choices


def _kind(value: Any) -> str:  # noqa: ANN401 - whatever stands in the YAML
    """Tell the kind of a parameter, so that errors speak of that kind alone."""
    if isinstance(value, Mapping):
        absent = "categorical" if "choices" in value else "fixed" if "value" in value else "float"
        return str(value.get("type", absent))
    return str(getattr(value, "type", "float"))


Parameter = Annotated[
    Annotated[FloatParameter, Tag("float")]
    | Annotated[IntParameter, Tag("int")]
    | Annotated[CategoricalParameter, Tag("categorical")]
    | Annotated[FixedParameter, Tag("fixed")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="unknown type, choose one of float, int, categorical, fixed",
    ),
]
"""One entry of a space."""
Searched = FloatParameter | IntParameter | CategoricalParameter
"""An entry that is searched."""


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:  # noqa: ANN401  a choice may be anything
    """Draw one parameter of a trial; one that it has already is returned as it is."""
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise TypeError(f"no way to draw {name}: unknown distribution {distribution!r}")
