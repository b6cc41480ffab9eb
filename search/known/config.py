"""What is to become of a source: how many of its configs, and as what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ConfigDict, Field, ValidationError, model_validator

from data_prep.errors import InputError
from data_prep.validation import FrozenModel, describe
from search.known.use import As
from search.paths import PathOrUri


class KnownConfig(FrozenModel):
    """One source of known configs."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_alias=True, validate_by_name=True)

    source: PathOrUri
    """A hyp YAML, an ``evolve.csv``, a table or the folder of another sweep, a ``study.journal`` or a storage URL."""
    top: int | None = Field(default=None, ge=1)
    """Only the best so many; None takes 5 where the source ranks its configs, else all, and all results."""
    as_: As = Field(default=As.ENQUEUE, alias="as")
    """``enqueue`` tries them anew, ``results`` takes them as finished trials of the same data, metric and epochs."""
    clip: bool = False
    """Whether a value outside the space is moved to its bound, which is said; else it is refused."""

    @model_validator(mode="before")
    @classmethod
    def _source_alone(cls, values: Any) -> Any:  # noqa: ANN401  whatever stands in the YAML
        return {"source": values} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _results_are_not_moved(self) -> KnownConfig:
        if self.clip and self.as_ == As.RESULTS:
            raise ValueError("`clip` changes a config and `as: results` keeps its value: leave one of them out")
        return self


def known_configs(sources: Iterable[str], *, top: int | None, as_: As, clip: bool) -> list[KnownConfig]:
    """The same use of several sources, relative ones taken against the working directory.

    Raises:
        InputError: The options contradict each other.
    """
    values = {"top": top, "as": as_, "clip": clip}
    try:
        return [KnownConfig.model_validate({"source": source, **values}) for source in sources]
    except ValidationError as error:
        raise InputError(describe(error, values, KnownConfig)) from error
