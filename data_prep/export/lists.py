"""``data.yaml``, a list of pictures per split, and a YAML per fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from data_prep.export.pictures import DERIVED
from data_prep.records import ImageRecord
from data_prep.split import FOLDER_OF_KEY, Records, Split

DATA_YAML = "data.yaml"
_LISTS = "lists"


def write_data_yaml(folder: Path, root: Path, names: Sequence[str], splits: Mapping[Split, Records]) -> None:
    """Write a stock ``data.yaml``.

    Args:
        folder:
            Where to write it.
        root:
            The final place, written as ``path:``. It is absolute, because stock YOLOv5 takes relative ones
            against its own package; :func:`data_prep.dataset.read_data_yaml` uses the yaml's folder once the
            data set has moved.
        names:
            Class names.
        splits:
            Which splits there are.
    """
    keys = {key: split for key, split in FOLDER_OF_KEY.items() if split in splits}
    keys |= {split.value: split for split in DERIVED if split in splits}
    _write_yaml(folder / DATA_YAML, root, {key: f"images/{split}" for key, split in keys.items()}, names)


def write_lists(folder: Path, splits: Mapping[Split, Records]) -> list[str]:
    """Write ``lists/<split>.txt``, one picture a line; returns their paths within the data set."""
    return [_write_list(folder, split, {split: records}) for split, records in splits.items()]


def write_folds(folder: Path, root: Path, names: Sequence[str], folds: Sequence[Records]) -> list[str]:
    """Write ``fold_<i>.yaml`` and its two lists for every fold, over the pictures of ``images/full``.

    Fold i is what the i-th training is judged on; it is trained on all others.

    Returns:
        The lists' paths within the data set.
    """
    lists: list[str] = []
    for number, held_out in enumerate(folds):
        others = [record for other, fold in enumerate(folds) if other != number for record in fold]
        sides: dict[str, Sequence[ImageRecord]] = {"train": others, "val": held_out}
        entries = {
            key: _write_list(folder, f"fold_{number}_{key}", {Split.FULL: records}) for key, records in sides.items()
        }
        lists += entries.values()
        _write_yaml(folder / f"fold_{number}.yaml", root, entries, names)
    return lists


def _write_list(folder: Path, name: str, members: Mapping[Split, Sequence[ImageRecord]]) -> str:
    # YOLOv5 takes a line against the list's own folder if it begins with `./`, else against the working directory.
    lines = [f"./../images/{split}/{record.file_name}\n" for split, records in members.items() for record in records]
    path = f"{_LISTS}/{name}.txt"
    (folder / _LISTS).mkdir(exist_ok=True)
    (folder / path).write_text("".join(sorted(lines)), encoding="utf-8")
    return path


def _write_yaml(path: Path, root: Path, entries: Mapping[str, str], names: Sequence[str]) -> None:
    content = {"path": str(root), **entries, "nc": len(names), "names": list(names)}
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
