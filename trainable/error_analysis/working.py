"""The working point: which detections count as said, and who says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.files import file_sha256
from trainable.nms import CONFIDENCE, VAL, NmsSettings
from trainable.thresholds import KnownThresholds, parse_measure, read_thresholds

PLACES = ("thresholds.yaml", "thresholds/thresholds.yaml")
"""Where thresholds of weights are looked for, beside them: where they are kept, and where they are made."""


@dataclass(frozen=True)
class WorkingPoint:
    """Settings of NMS, and where they come from.

    Attributes:
        nms:
            Its confidence is the lowest of the raw predictions: the ranking has everything.
        nms_from:
            Who says so.
        confidence:
            A detection is more confident than this; None until the best one is known.
        confidence_from:
            Who says so.
    """

    nms: NmsSettings
    nms_from: str
    confidence: float | None
    confidence_from: str

    def at(self, confidence: float) -> WorkingPoint:
        """With a confidence that was found on the pictures themselves, where none was given."""
        return self if self.confidence is not None else replace(self, confidence=confidence)

    def as_dict(self) -> dict[str, Any]:
        """Key to value, as JSON can hold them."""
        settings = {**self.nms.as_dict(), "confidence": self.confidence}
        return {**settings, "confidence_from": self.confidence_from, "nms_from": self.nms_from}


def find_thresholds(weights: Path, given: Path | None) -> tuple[KnownThresholds, Path] | None:
    """The thresholds that are given, else those of exactly these weights beside them; None where there are none.

    Raises:
        InputError: They cannot be read.
    """
    if given is not None:
        return read_thresholds(given), given
    for place in PLACES:
        path = weights.parent / place
        if path.is_file():
            known = read_thresholds(path)
            if known.weights_sha256 in (None, file_sha256(weights)):
                return known, path
    return None


def working_point(found: tuple[KnownThresholds, Path] | None, confidence: float | None) -> WorkingPoint:
    """The settings that thresholds and options ask for.

    Thresholds that were chosen for a ranking (mAP) keep nearly every box; that is no confidence to work at, so theirs
    is not taken.

    Args:
        found:
            Thresholds and where they stand.
        confidence:
            The one that is asked for, in [0, 1).

    Raises:
        InputError: The confidence is out of range.
    """
    known, path = found or (KnownThresholds(VAL, None), None)
    nms = replace(known.settings, confidence=CONFIDENCE)
    nms_from = str(path) if path is not None else "the defaults of yolov5 val"
    if confidence is not None:
        if confidence < CONFIDENCE:
            raise InputError(
                f"--confidence is {confidence:g}: raw predictions are kept above {CONFIDENCE:g}; raise it."
            )
        replace(nms, confidence=confidence)  # refuses what is out of range
        return WorkingPoint(nms, nms_from, confidence, "--confidence")
    if path is not None and not _for_ranking(known.metric):
        return WorkingPoint(nms, nms_from, max(known.settings.confidence, CONFIDENCE), str(path))
    why = f" ({path} was chosen for {known.metric}, a ranking, and has none)" if path is not None else ""
    return WorkingPoint(nms, nms_from, None, f"the best mean F1 on these pictures{why}")


def _for_ranking(metric: str | None) -> bool:
    """Whether thresholds were chosen for a metric that judges a ranking; one that is not known does not."""
    try:
        return metric is not None and parse_measure(metric).ranking
    except InputError:
        return False
