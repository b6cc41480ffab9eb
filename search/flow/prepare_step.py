"""The step ``prepare``: raw data -> the flow's data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.config import PrepareConfig, load_prepare_config
from data_prep.errors import InputError, StoppedError
from data_prep.manifest import MANIFEST_NAME
from data_prep.prepare import prepare
from search.flow.book import digest_of
from search.flow.raw import raw_digest
from search.flow.step import Made, Place, given


def prepare_inputs(place: Place) -> Mapping[str, Any]:
    """The configuration, and the stamps of the raw files."""
    config = load_prepare_config(given(place.config.prepare))
    return {"config": digest_of(config.model_dump(mode="json")), "raw": raw_digest(config)}


def prepare_data(place: Place) -> Made:
    """Prepare; a data set of other raw data is moved aside, once this one can be made."""
    config, out = load_prepare_config(given(place.config.prepare)), place.folder / "data"
    try:
        data = _prepared(config, out, place)
    except KeyboardInterrupt as error:
        raise StoppedError("the preparation was stopped.") from error
    splits = json.loads((out / MANIFEST_NAME).read_text(encoding="utf-8"))["splits"]
    images = {name: split["images"] for name, split in splits.items()}
    return Made((data, out / MANIFEST_NAME), {"images": images})


def _prepared(config: PrepareConfig, out: Path, place: Place) -> Path:
    """What is there is taken where it is of this raw data, whatever the time of its files."""
    try:
        return prepare(config, out, place.watch.progress)
    except InputError:
        if not out.exists():
            raise
    old = place.aside(out)
    try:
        return prepare(config, out, place.watch.progress)
    except BaseException:
        if old is not None and not out.exists():
            old.rename(out)  # the raw data is wrong, or gone: what was made of the old one is still wanted
        raise
