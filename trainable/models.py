"""The model definitions that ship with the yolov5 package, found without importing it (an import takes seconds)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def model_yaml(name: str) -> Path | None:
    """The definition that ships with yolov5 under ``name`` (``yolov5n`` ... ``yolov5x6``), or None."""
    return _definitions().get(name)


def model_names() -> list[str]:
    """The names that :func:`model_yaml` knows: the detectors of the YOLOv5 family, sorted."""
    return sorted(_definitions())


def _definitions() -> dict[str, Path]:
    spec = find_spec("yolov5")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package yolov5 is not installed")
    folder = Path(spec.origin).parent / "models"
    return {path.stem: path for path in [*folder.glob("yolov5*.yaml"), *folder.glob("hub/yolov5*.yaml")]}
