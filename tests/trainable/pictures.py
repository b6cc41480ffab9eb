"""Subsets of livestock_a for tests, as data sets of their own."""

from __future__ import annotations

from pathlib import Path

import yaml

COCO_NAMES = [f"class {index}" for index in range(80)]


def link_coco_livestock(livestock: Path, folder: Path, step: int) -> Path:
    """Every ``step``-th validation picture, labelled in COCO's 80 classes: a cow is 19, a pig a sheep (18)."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for image in sorted((livestock.parent / "images" / "val").iterdir())[::step]:
        (folder / "images" / image.name).symlink_to(image)
        label = livestock.parent / "labels" / "val" / f"{image.stem}.txt"
        rows = [line.split() for line in label.read_text().splitlines()]
        text = "".join(f"{(19, 18)[int(kind)]} {' '.join(box)}\n" for kind, *box in rows)
        (folder / "labels" / f"{image.stem}.txt").write_text(text)
    return write_yaml(folder, "images", "images", COCO_NAMES)


def write_yaml(folder: Path, train: str, val: str, names: list[str]) -> Path:
    """A data.yaml in ``folder``; its path."""
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump({"path": str(folder), "train": train, "val": val, "nc": len(names), "names": names}))
    return path
