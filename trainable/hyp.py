"""Hyp: one set of YOLOv5 hyperparameters, as a YAML that stock YOLOv5 can read.

Names, meaning and defaults are those of YOLOv5's ``hyp.scratch-low.yaml``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from data_prep.errors import InputError
from data_prep.files import read_yaml_mapping

LARGEST = 3.4e38
"""torch computes in float32 and takes nothing beyond it."""


@dataclass(frozen=True, kw_only=True)
class Hyp:
    """One set of YOLOv5 hyperparameters.

    Raises:
        InputError: A value is no finite number, or negative.
    """

    lr0: float = 0.01
    """Initial learning rate (SGD 1e-2, Adam 1e-3)."""
    lrf: float = 0.01
    """Final learning rate as a fraction of ``lr0``."""
    momentum: float = 0.937
    """SGD momentum, or Adam's beta1."""
    weight_decay: float = 0.0005
    """Weight decay at the nominal batch size."""
    warmup_epochs: float = 3.0
    """Warm-up length in epochs; fractions are fine."""
    warmup_momentum: float = 0.8
    """Momentum at the start of the warm-up."""
    warmup_bias_lr: float = 0.1
    """Learning rate of the biases at the start of the warm-up."""
    box: float = 0.05
    """Gain of the box loss."""
    cls: float = 0.5
    """Gain of the class loss."""
    cls_pw: float = 1.0
    """Positive weight of the class loss (binary cross-entropy)."""
    obj: float = 1.0
    """Gain of the objectness loss; YOLOv5 scales it with the image size."""
    obj_pw: float = 1.0
    """Positive weight of the objectness loss (binary cross-entropy)."""
    iou_t: float = 0.20
    """IoU threshold of the training; YOLOv5 reads it and does not use it."""
    anchor_t: float = 4.0
    """Largest ratio between a box side and an anchor side at which they match."""
    fl_gamma: float = 0.0
    """Gamma of the focal loss; 0 switches it off."""
    hsv_h: float = 0.015
    """Hue augmentation, as a fraction."""
    hsv_s: float = 0.7
    """Saturation augmentation, as a fraction."""
    hsv_v: float = 0.4
    """Value augmentation, as a fraction."""
    degrees: float = 0.0
    """Rotation, +- degrees."""
    translate: float = 0.1
    """Translation, +- fraction of the image."""
    scale: float = 0.5
    """Scale, +- gain."""
    shear: float = 0.0
    """Shear, +- degrees."""
    perspective: float = 0.0
    """Perspective, +- fraction (0 to 0.001)."""
    flipud: float = 0.0
    """Probability of a flip upside down."""
    fliplr: float = 0.5
    """Probability of a flip left to right."""
    mosaic: float = 1.0
    """Probability of a mosaic of four images."""
    mixup: float = 0.0
    """Probability of a mix-up with a second mosaic."""
    copy_paste: float = 0.0
    """Probability of copy-paste; it needs segments in the labels."""
    anchors: float | None = None
    """Anchors per output layer, computed from the data; None keeps those of the model. YOLOv5 rounds it."""

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            # Not `math.isfinite`, which fails for an integer that is larger than any float.
            if not number or not abs(value) <= LARGEST:
                raise InputError(f"hyp `{name}` is {value!r}: give a finite number.")
            if value < 0:
                raise InputError(f"hyp `{name}` is {value}: YOLOv5's hyperparameters are never negative.")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all hyps in YOLOv5's order, ``anchors`` last."""
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "hyp") -> Hyp:
        """A hyp from a mapping; what is absent takes YOLOv5's default.

        Args:
            values:
                Name to value. An integer is taken for a float.
            source:
                What to call the mapping in an error, a file name for example.

        Raises:
            InputError: A name is unknown, or a value no finite, non-negative number.
        """
        for name in values:
            if name not in cls.names():
                near = get_close_matches(str(name), cls.names(), n=1)
                hint = f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(cls.names())}."
                raise InputError(f"{source}: unknown hyperparameter `{name}`{hint}")
        try:
            return cls(**values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    def as_dict(self) -> dict[str, float]:
        """Name to value in YOLOv5's order; without ``anchors`` where that is None."""
        return {name: value for name, value in vars(self).items() if value is not None}


def read_hyp(path: str | Path) -> Hyp:
    """Read a hyp YAML, YOLOv5's own or one that hypsweep wrote; what it lacks takes YOLOv5's default.

    Raises:
        InputError: The file is missing or is no YAML mapping of hyperparameters.
    """
    return Hyp.from_mapping(read_hyp_values(path), source=str(path))


def read_hyp_values(path: str | Path) -> dict[str, Any]:
    """Read what a hyp YAML states, and nothing else; see :func:`read_hyp`.

    Raises:
        InputError: The file is missing or is no YAML mapping.
    """
    return read_yaml_mapping(Path(path))


def format_hyp(hyp: Hyp, header: str = "") -> str:
    """The text of a hyp YAML that stock YOLOv5 reads, with ``header`` as comment lines above it."""
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    body: str = yaml.safe_dump(hyp.as_dict(), sort_keys=False)
    return comment + body
