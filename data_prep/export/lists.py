"""Lists of pictures per split and fold, ``data.yaml`` and a YAML per fold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from data_prep.export.pictures import DERIVED
from data_prep.records import ImageRecord
from data_prep.split import FOLDER_OF_KEY, Records, Split

DATA_YAML = "data.yaml"
_LISTS = "lists"
_FOLD_KEYS = ("train", "val")


def data_yamls(names: Sequence[str], splits: Collection[str], folds: int) -> dict[str, dict[str, Any]]:
    """Return what ``data.yaml`` and ``fold_<i>.yaml`` say beside ``path:``, by file name.

    Args:
        names:
            Class names.
        splits:
            Which splits there are.
        folds:
            How many folds there are.
    """
    keys = {**FOLDER_OF_KEY, **{split.value: split for split in (*DERIVED, Split.GOLD)}}
    entries = {DATA_YAML: {key: f"images/{split}" for key, split in keys.items() if split in splits}}
    for number in range(folds):
        entries[f"fold_{number}.yaml"] = {key: _list_path(_fold_name(number, key)) for key in _FOLD_KEYS}
    return {file: {**places, "nc": len(names), "names": list(names)} for file, places in entries.items()}


def write_data_yamls(folder: Path, root: Path, names: Sequence[str], splits: Collection[str], folds: int) -> None:
    """Write a stock ``data.yaml``, and one for every fold.

    Args:
        folder:
            Where to write them.
        root:
            The final place, written as ``path:``. It is absolute, because stock YOLOv5 takes relative ones
            against its own package; :func:`data_prep.dataset.read_data_yaml` uses the yaml's folder once the
            data set has moved.
        names:
            Class names.
        splits:
            Which splits there are.
        folds:
            How many folds there are.
    """
    for file, content in data_yamls(names, splits, folds).items():
        text = yaml.safe_dump({"path": str(root), **content}, sort_keys=False, allow_unicode=True)
        (folder / file).write_text(text, encoding="utf-8")


def write_lists(folder: Path, splits: Mapping[Split, Records], folds: Sequence[Records]) -> list[str]:
    """Write ``lists/<split>.txt``, one picture a line, and the two lists of every fold over ``images/full``.

    Fold i is what the i-th training is judged on; it is trained on all others.

    Returns:
        Their paths within the data set.
    """
    (folder / _LISTS).mkdir(exist_ok=True)
    paths = [_write_list(folder, split, split, records) for split, records in splits.items()]
    for number, held_out in enumerate(folds):
        others = [record for other, fold in enumerate(folds) if other != number for record in fold]
        for key, records in zip(_FOLD_KEYS, (others, held_out), strict=True):
            paths.append(_write_list(folder, _fold_name(number, key), Split.FULL, records))
    return paths


def _fold_name(number: int, key: str) -> str:
    return f"fold_{number}_{key}"


def _list_path(name: str) -> str:
    return f"{_LISTS}/{name}.txt"


def _write_list(folder: Path, name: str, split: Split, records: Sequence[ImageRecord]) -> str:
    # YOLOv5 takes a line against the list's own folder if it begins with `./`, else against the working directory.
    lines = [f"./../images/{split}/{record.file_name}\n" for record in records]
    path = _list_path(name)
    (folder / path).write_text("".join(sorted(lines)), encoding="utf-8")
    return path
