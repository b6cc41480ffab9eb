"""What a model card is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.dataset import DatasetYaml
from data_prep.manifest import Manifest
from search.config import SweepConfig
from search.confirm.result import Confirmation
from search.promotion.thresholds import FoundThresholds
from search.samplers.keys import START
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

if TYPE_CHECKING:
    from trainable.export import OnnxExport


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What a model card is made of.

    Attributes:
        run_dir:
            The sweep's folder.
        config:
            The sweep.
        states:
            How many of its trials ended in which state.
        searched:
            Values of the promoted trial, by parameter of the space.
        settings, hyp:
            Of the final training.
        metrics:
            Content of ``metrics.json``.
        confirmed:
            What the promotion rests on; None: it was taken as it is.
        data:
            The data set.
        manifest:
            Its manifest; None: it is a stock one.
        thresholds:
            Those, or why there are none.
        onnx:
            The ONNX file; None: none was asked for.
    """

    run_dir: Path
    config: SweepConfig
    states: Mapping[str, int]
    searched: Mapping[str, Any]
    settings: TrainSettings
    hyp: Hyp
    metrics: Mapping[str, Any]
    confirmed: Confirmation | None
    data: DatasetYaml
    manifest: Manifest | None
    thresholds: FoundThresholds
    onnx: OnnxExport | None

    @property
    def trial(self) -> int:
        """Number of the promoted trial."""
        return int(self.metrics["trial"])

    @property
    def winner(self) -> str:
        """What was promoted, in words."""
        return "the default hyp (trial 0)" if self.trial == START else f"trial {self.trial}"
