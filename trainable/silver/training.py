"""Silver labels of a training that sets their thresholds anew: from the data set's candidates, without a network.

The pictures are decoded once for all thresholds: a training sees a subset of one bank.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.dataset import DatasetYaml
from data_prep.errors import InputError
from data_prep.manifest import read_manifest
from data_prep.silver.export import CONFIG_KEY
from data_prep.silver.merge import Rows
from data_prep.silver.rule import SilverRule
from trainable.labels import LabelledImages, drop_duplicates
from trainable.settings import SILVER, TrainSettings
from trainable.silver.file import SILVER_PARQUET, SilverPicture, read_about, read_pictures
from trainable.silver.labels import silver_labels

_SPLITS = ("train", "mini_train", "full")


def silver_images(
    settings: TrainSettings, data: DatasetYaml, images: LabelledImages
) -> tuple[LabelledImages, npt.NDArray[np.intp] | None]:
    """Images of a training split, with the silver labels that the settings ask for.

    Args:
        settings:
            Of the training; where they change nothing, what comes in is returned.
        data:
            The data set.
        images:
            Images and labels of ``settings.train_split``, as they are written.

    Returns:
        The images, and which of those that came in they are; None for all.

    Raises:
        InputError: See :func:`training_rule`; or the candidates are damaged.
    """
    if not settings.silver:
        return images, None
    made = labels_by_name(data, training_rule(settings, data))
    own = data.file.parent.resolve() / "images"  # a data.yaml may join this data set with others
    names = [path.name if path.parent.parent == own else "" for path in map(Path, images.files)]
    kept = [index for index, name in enumerate(names) if made.get(name, ()) is not None]
    rows = np.array(kept, dtype=np.intp)
    chosen = dataclasses.replace(
        images,
        files=tuple(images.files[index] for index in kept),
        labels=tuple(_labels(made.get(names[index]), images.labels[index]) for index in kept),
        segments=tuple(images.segments[index] for index in kept),
        shapes=images.shapes[rows],
        sizes=images.sizes[rows],
    )
    return chosen, None if len(kept) == len(names) else rows


def labels_by_name(data: DatasetYaml, rule: SilverRule) -> dict[str, Rows | None]:
    """The labels that a rule gives the pictures of a data set with silver labels, by file name.

    Returns:
        For each picture that has candidates; None for a new one that the rule leaves out.

    Raises:
        InputError: The candidates are damaged.
    """
    pictures = read_pictures(data.file.with_name(SILVER_PARQUET))
    return {Path(picture.file).name: labels_of(picture, rule) for picture in pictures}


def labels_of(picture: SilverPicture, rule: SilverRule) -> Rows | None:
    """The labels of one picture, as :func:`trainable.labels.read_labels` reads those that are written."""
    merged = silver_labels(picture.candidates, picture.labels, rule)
    if not merged.taken and not picture.gold:
        return None
    return drop_duplicates(np.concatenate((picture.labels, merged.added)))[0]


def training_rule(settings: TrainSettings, data: DatasetYaml) -> SilverRule:
    """The rule of a training: the data set's own, with what the settings change in it.

    Raises:
        InputError: The data set has no candidates, the confidence is below what was kept of them, or the split that is
            trained on has no silver labels.
    """
    name = next(name for name, own in SILVER.items() if own in settings.silver)
    if settings.train_split not in _SPLITS or (settings.train_split == "mini_train" and "mini_train" in data.splits):
        raise InputError(
            f"train.{name} is set and train.train_split is `{settings.train_split}`, which has no silver labels; train "
            "on `train` or `full`, or leave the setting out."
        )
    made = _made(data, name)
    try:
        rule, floor = SilverRule(**{**made["rule"], **settings.silver}), float(made["floor"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{data.file}: its manifest does not say how its silver labels were made ({error})."
        ) from error
    if rule.confidence < floor:
        raise InputError(
            f"train.silver_confidence is {rule.confidence:g} and the candidates of {data.file} begin at {floor:g}; "
            "give more, or make the data set anew with a lower --floor."
        )
    return rule


def _made(data: DatasetYaml, name: str) -> dict[str, Any]:
    manifest = read_manifest(data.file.parent)
    made = manifest.config.get(CONFIG_KEY) if manifest else None
    candidates = data.file.with_name(SILVER_PARQUET)
    if not isinstance(made, dict) or read_about(candidates) != made:
        raise InputError(
            f"train.{name} is set and there is no {candidates}; take a data set that `hypsweep silver` wrote, or leave "
            "the setting out."
        )
    return made


def _labels(made: Rows | None, written: Rows) -> Rows:
    return written if made is None else made
