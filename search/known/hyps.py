"""A hyp YAML: stock YOLOv5's own, the ``hyp_evolve.yaml`` of its evolution, or one that hypsweep wrote."""

from __future__ import annotations

from pathlib import Path

from data_prep.errors import InputError
from search.known.source import KnownSource, KnownTrial
from search.known.tables import shown
from trainable.hyp import Hyp, read_hyp_values


def read_hyp_file(path: Path) -> KnownSource:
    """Read a hyp YAML as one config, with what it states and nothing else.

    Raises:
        InputError: It is no YAML of hyperparameters, or empty.
    """
    values = read_hyp_values(path)
    Hyp.from_mapping(values, source=shown(path))
    if not values:
        raise InputError(f"{shown(path)} states no hyperparameter: give another file.")
    return KnownSource(name=shown(path), trials=(KnownTrial(params=values, label=shown(path)),))
