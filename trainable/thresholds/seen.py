"""Whether weights may be judged on a split: not where they were trained on its images."""

from __future__ import annotations

import logging
from pathlib import Path

from data_prep.dataset import DatasetYaml, read_data_yaml
from data_prep.errors import InputError
from trainable.bank_key import manifest_sha256
from trainable.detector import TRAIN, trained_with

logger = logging.getLogger(__name__)

_SEEN = {
    "train": ("train", "mini_train", "full", "gold"),
    "mini_train": ("train", "mini_train", "full", "gold"),
    "gold": ("train", "mini_train", "full", "gold"),
    "val": ("val", "full"),
    "test": ("test",),
    "full": ("train", "mini_train", "val", "full", "gold"),
}
"""To each training split the splits that have images of it."""


def refuse_seen(weights: Path, data: DatasetYaml, split: str) -> None:
    """Refuse to choose thresholds on images that weights were trained on: they would look better than they are.

    What the weights were trained on is read in ``train.yaml`` beside them, as ``hypsweep promote`` leaves it; where
    there is none, the caller answers for it.

    Raises:
        InputError: They were, or ``train.yaml`` cannot be read.
    """
    on = has_seen(weights, data, split)
    if on is not None:
        raise InputError(
            f"{weights.with_name(TRAIN)}: these weights were trained on `{on}`, which has the images of `{split}`; "
            f"give weights that were trained on train alone, or another split by --split."
        )


def has_seen(weights: Path, data: DatasetYaml, split: str) -> str | None:
    """The split that weights were trained on, if it has images of another one; None where not, or nobody knows.

    Raises:
        InputError: ``train.yaml`` beside the weights cannot be read.
    """
    trained = trained_with(weights)
    on, place = trained.get("train_split"), trained.get("data")
    if not isinstance(on, str):
        return None
    if isinstance(place, str) and Path(place).is_file() and not _same(Path(place), data.file):
        return on if _shares_pictures(Path(place), on, data, split) else None
    if split not in _SEEN.get(on, ()):
        return None
    if isinstance(place, str) and not Path(place).is_file():
        logger.warning(
            "%s: the weights were trained on `%s` of %s, which is not there; see to it that `%s` of %s is other data",
            weights,
            on,
            place,
            split,
            data.file,
        )
        return None
    return on


def _shares_pictures(place: Path, on: str, data: DatasetYaml, split: str) -> bool:
    """Whether a split of another data set, such as a silver one, has a picture of this one: by name and size."""
    try:
        seen = {(path.name, path.stat().st_size) for path in read_data_yaml(place).images(on)}
    except (InputError, OSError):
        return False
    return any((path.name, path.stat().st_size) in seen for path in data.images(split))


def _same(one: Path, other: Path) -> bool:
    """Whether two data.yaml belong to the same data, moved or not."""
    if one.samefile(other):
        return True
    manifests = manifest_sha256(one), manifest_sha256(other)
    return all(manifests) and manifests[0] == manifests[1]
