"""The folder of a promotion: the names in it, and how it appears."""

from __future__ import annotations

import shutil
from pathlib import Path

PROMOTED = "promoted"
WEIGHTS, ONNX, HYP, TRAIN = "weights.pt", "weights.onnx", "hyp.yaml", "train.yaml"
METRICS, THRESHOLDS, CARD = "metrics.json", "thresholds.yaml", "model_card.md"


def publish(draft: Path, folder: Path) -> None:
    """Put a finished draft in the place of an older promotion."""
    draft.chmod(0o755)  # mkdtemp makes it private
    old = folder.with_name(f".{folder.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
