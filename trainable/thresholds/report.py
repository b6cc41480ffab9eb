"""What is left of a choice: ``thresholds.yaml``, the grid as a CSV, and a heat map."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_prep.durable import write_error
from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping, write_atomically
from trainable.nms import NmsSettings
from trainable.thresholds.choose import LEVEL, Judged, ThresholdChoice
from trainable.thresholds.heat_map import heat_map

YAML, CSV, PNG = "thresholds.yaml", "grid.csv", "heat_map.png"
_HEAD = "# Chosen by `hypsweep thresholds`; `hypsweep predict --thresholds` reads `chosen` and `image_size`.\n"


@dataclass(frozen=True)
class KnownThresholds:
    """What ``thresholds.yaml`` says to a prediction.

    Attributes:
        settings:
            The chosen settings.
        image_size:
            At which they were chosen, in pixels; None where it does not say.
        metric:
            What they were chosen for; None where it does not say.
        weights_sha256:
            Of the weights that they were chosen for; None where it does not say.
    """

    settings: NmsSettings
    image_size: int | None
    metric: str | None = None
    weights_sha256: str | None = None


def as_dict(choice: ThresholdChoice, about: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``thresholds.yaml``.

    Args:
        choice:
            What was chosen.
        about:
            What it was chosen with: weights, data, digests.
    """
    choosing, grid, (value, held) = choice.choosing, choice.choosing.grid, choice.cross_fitted
    return {
        "chosen": choice.chosen.settings.as_dict(),
        "metric": choosing.measure.name,
        "reached": choice.reached,
        "gain": {**dataclasses.asdict(choice.gain), "level": LEVEL, "shown": choice.gain.shown},
        "notes": list(choice.notes),
        "values": {
            "chosen": _judged(choice.chosen),
            "default": {**choice.default.settings.as_dict(), **_judged(choice.default)},
            "cross_fitted": {"value": value} if held is None else {"value": value, "held": held},
        },
        "cross_fitting": {
            "folds": len(choice.by_fold),
            "resamples": choosing.resamples,
            "seed": choosing.seed,
            "chosen_without_fold": [settings.as_dict() for settings in choice.by_fold],
        },
        "grid": {name: list(values) for name, values in dataclasses.asdict(grid).items()},
        "images": choice.images,
        **about,
    }


def write_report(choice: ThresholdChoice, about: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write all three files into a folder, ``thresholds.yaml`` last; returns what that says.

    Raises:
        DiskFullError, WorkFailedError: They cannot be written.
    """
    content = as_dict(choice, about)
    text = _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / PNG, heat_map(choice))
        write_atomically(folder / CSV, grid_csv(choice).encode())
        write_atomically(folder / YAML, text.encode())
    except OSError as error:
        raise write_error(f"{folder}: the thresholds cannot be written", error) from error
    return content


def grid_csv(choice: ThresholdChoice) -> str:
    """One line per setting: what it is and what it is worth on all images."""
    swept, out = choice.swept, io.StringIO()
    held = () if swept.least is None else ("held",)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["iou", "confidence", "max_detections", "agnostic", choice.choosing.measure.name, *held])
    for cell, settings in enumerate(swept.cells):
        numbers = [swept.values[0, cell], *(swept.held[0, cell] for _ in held)]
        writer.writerow(
            [
                settings.iou,
                settings.confidence,
                settings.max_detections,
                str(settings.agnostic).lower(),
                *(f"{number:.6f}" for number in numbers),
            ]
        )
    return out.getvalue()


def thresholds_beside(weights: Path) -> Path | None:
    """The ``thresholds.yaml`` that ``hypsweep promote`` left beside weights; None where there is none."""
    path = weights.with_name(YAML)
    return path if path.is_file() else None


def read_thresholds(path: Path) -> KnownThresholds:
    """Read a ``thresholds.yaml``; only ``chosen`` must be there, so that one can be written by hand.

    Raises:
        InputError: It cannot be read, or says something else than settings of NMS.
    """
    content = read_yaml_mapping(path)
    chosen, size = content.get("chosen"), content.get("image_size")
    kinds = {"confidence": (int, float), "iou": (int, float), "max_detections": (int,), "agnostic": (bool,)}
    if not isinstance(chosen, dict) or set(chosen) != set(kinds):
        raise InputError(f"{path}: `chosen` must have exactly {', '.join(kinds)}; write it with `hypsweep thresholds`.")
    for name, value in chosen.items():
        if type(value) not in kinds[name]:
            raise InputError(f"{path}: `chosen.{name}` is {value!r}; write it with `hypsweep thresholds`.")
    if size is not None and (type(size) is not int or size < 1):
        raise InputError(f"{path}: `image_size` is {size!r}; give a whole number of pixels, or leave it out.")
    told = {name: str(content[name]) for name in ("metric", "weights_sha256") if content.get(name) is not None}
    try:
        return KnownThresholds(NmsSettings(**chosen), size, **told)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _judged(judged: Judged) -> dict[str, Any]:
    figures = {"value": judged.value, **dataclasses.asdict(judged.metrics), "score75": judged.score75}
    return figures if judged.held is None else {**figures, "held": judged.held}
