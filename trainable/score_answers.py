"""The labels of a split as a table of answers, in the form of :func:`trainable.score_tables.read_answers`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.dataset import read_data_yaml
from trainable.dataset import DataStore
from trainable.image_bank import ImagePolicy
from trainable.predict.sources import picture_names
from trainable.score_tables import CORNERS, IMAGE, LABEL

_POLICY = ImagePolicy(cache="none")


def split_answers(data: Path, split: str | None = None) -> pd.DataFrame:
    """The labels of a split of a ``data.yaml``, corners in pixels as ``hypsweep predict`` writes them.

    A picture without a box has a row without a class, so that predictions on it count. Pictures are named as
    ``hypsweep predict`` names those of a ``data.yaml``.

    Args:
        data:
            The ``data.yaml``.
        split:
            Its key; None takes ``test``, or ``val`` where there is none.

    Raises:
        DataMissingError: The split has no picture that can be used.
        InputError: The data.yaml is wrong, or has no such split.
    """
    described = read_data_yaml(data)
    split = split or ("test" if "test" in described.splits else "val")
    images = DataStore().images(described, split, _POLICY)
    files = [file.as_posix() for file in described.images(split)]
    named = dict(zip(files, picture_names(files), strict=True))
    tables = [
        _rows(named[file], labels, size, described.names)
        for file, labels, size in zip(images.files, images.labels, images.sizes, strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.astype({IMAGE: "category", LABEL: "category", **dict.fromkeys(CORNERS, np.float32)})


def _rows(name: str, labels: np.ndarray, size: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    """The rows of one picture."""
    if not len(labels):
        return pd.DataFrame({IMAGE: [name], LABEL: [""], **dict.fromkeys(CORNERS, np.nan)})
    height, width = size
    kind, x, y, w, h = labels.T.astype(np.float64)
    edges = {"XMin": (x - w / 2) * width, "XMax": (x + w / 2) * width}
    edges |= {"YMin": (y - h / 2) * height, "YMax": (y + h / 2) * height}
    return pd.DataFrame({IMAGE: name, LABEL: [names[int(each)] for each in kind], **edges})
