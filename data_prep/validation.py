"""Turns a YAML file into a frozen pydantic model, and pydantic's complaints into one sentence for the user.

Used by the configurations of every room.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo

from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping
from data_prep.text import printable

_ABSENT = object()
#: How pydantic shows a value of an enum that it expects: ``<Policy.DROP: 'drop'>``.
_ENUM_MEMBER = re.compile(r"<\w+\.\w+: ('[^']*')>")


def _resolve(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path.cwd())
    try:
        return Path(folder, path.expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # a home that nobody has, links that go in circles, a name too long
        raise ValueError(f"is no path ({error})") from error


#: A path in a configuration: relative ones are taken against the YAML's folder (the working directory where
#: the model is built in Python) and are absolute from then on, because Ray moves every trial to a directory
#: of its own.
ConfigPath = Annotated[Path, AfterValidator(_resolve)]


class FrozenModel(BaseModel):
    """Base of every configuration: frozen, refuses unknown keys, documents each field by its docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)


ModelT = TypeVar("ModelT", bound=BaseModel)


def load_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read ``path`` as a ``model``; relative :data:`ConfigPath` fields are taken against the file's folder.

    Raises:
        InputError: One sentence with file, key and remedy.
    """
    data = read_yaml_mapping(path)
    try:
        return model.model_validate(data, context={"folder": path.absolute().parent})
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error, data, model)}") from error


def describe(error: ValidationError, data: object = None, model: type[BaseModel] | None = None) -> str:
    """Put the first complaint of pydantic into words that name the key, its value and the remedy.

    Args:
        error:
            What pydantic raised.
        data:
            The raw input; with it the tags of unions do not appear in the key.
        model:
            The model that refused it; with it a misspelt key gets a suggestion.
    """
    return printable(_first_complaint(error, data, model))


def _first_complaint(error: ValidationError, data: object, model: type[BaseModel] | None) -> str:
    first, *others = error.errors(include_url=False)
    key = _dotted(first["loc"], data, last_is_key=first["type"] in ("missing", "extra_forbidden"))
    more = f" ({len(others)} more after that)" if others else ""
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"unknown key `{key}`; {_suggestion(str(first['loc'][-1]), model)}{more}"
    if kind == "missing":
        return f"key `{key}` is missing; add it{more}"
    if kind == "union_tag_not_found":
        tag = str(first.get("ctx", {}).get("discriminator", "")).strip("'")
        return f"key `{key}.{tag}` is missing; add it{more}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{f'key `{key}`' if key else 'the content'} must hold keys and values; correct it{more}"
    text = _ENUM_MEMBER.sub(r"\1", first["msg"].removeprefix("Value error, "))
    value = repr(first["input"])
    shown = value if len(value) <= 80 else value[:77] + "..."
    return f"key `{key}` (={shown}): {text}; correct it{more}" if key else f"{text}{more}"


def _dotted(loc: Sequence[int | str], data: object, *, last_is_key: bool) -> str:
    """Join a location; elements that the input does not hold are tags of a union."""
    parts: list[str] = []
    for index, element in enumerate(loc):
        inside = _child(data, element)
        named = last_is_key and index == len(loc) - 1
        if data is not None and inside is _ABSENT and not named:
            continue
        parts.append(str(element))
        data = None if inside is _ABSENT else inside
    return ".".join(parts)


def _child(data: object, element: int | str) -> object:
    if isinstance(data, Mapping):
        return data.get(element, _ABSENT)
    if isinstance(data, list) and isinstance(element, int) and element < len(data):
        return data[element]
    return _ABSENT


def _suggestion(name: str, model: type[BaseModel] | None) -> str:
    known = set(_property_names(model.model_json_schema())) if model else set()
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean `{close[0]}`?" if close else "remove it or correct its spelling"


def _property_names(schema: object) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        if key == "properties":
            yield from value
        yield from _property_names(value)
