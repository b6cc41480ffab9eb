"""FlowConfig: the YAML of ``hypsweep run``, one section a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from data_prep.validation import ConfigPath, FrozenModel, load_model
from search.confirm.options import ConfirmOptions
from search.confirm.undecided import Undecided


class ConfirmStep(FrozenModel):
    """How the winner is confirmed; what is absent is as in ``hypsweep confirm``."""

    top_k: int | None = Field(default=None, ge=1)
    """Best trials that are compared with the default hyp."""

    seeds: int | None = Field(default=None, ge=2)
    """Seeds of the first round."""

    max_seeds: int | None = Field(default=None, ge=2)
    """Seeds at most; raised later, the confirmation goes on."""

    epochs: int | None = Field(default=None, ge=1)
    """Of each training."""

    metric: str | None = None
    """What decides."""

    smallest_gain: float | None = Field(default=None, gt=0)
    """Gain worth having."""

    undecided: Undecided = Undecided.STOP
    """Where the seeds do not decide: ``stop``, or go on with the ``default`` hyp, or that with the ``best`` mean."""

    def options(self, *, anew: bool = False) -> ConfirmOptions:
        """The same for :func:`search.confirm.run.confirm`."""
        return ConfirmOptions(**self.model_dump(exclude={"undecided"}), anew=anew)


class FinalStep(FrozenModel):
    """How the final model is trained; see ``hypsweep promote``."""

    epochs: int | None = Field(default=None, ge=1)
    """Those of the confirmation, or of the sweep, if absent."""

    workers: int = Field(default=1, ge=1)
    """How many train together at most."""

    sync_bn: bool = False
    """Batch normalisation over all workers."""

    max_megabytes: float = Field(default=100.0, gt=0)
    """Largest weights file, in 10^6 bytes."""

    onnx: bool = True
    """Write ``weights.onnx``, too, and run it beside PyTorch."""

    threshold_metric: str | None = None
    """By what thresholds are chosen, see ``hypsweep thresholds``; if absent ``score50`` where ``score.iou`` is 0.5, and
    ``score75`` elsewhere."""


class ScoreStep(FrozenModel):
    """How the finished weights are scored."""

    split: str = "test"
    """A split that they were not trained on; where the data set has none, the step says so and is over."""

    iou: float = Field(default=0.75, gt=0, le=1)
    """Least overlap of a right prediction."""


class ErrorsStep(FrozenModel):
    """How the errors of the confirmed weights on the validation pictures are analysed."""

    iou: float = Field(default=0.5, gt=0.1, le=1)
    """Least overlap of a match."""


class FlowConfig(FrozenModel):
    """What a flow does, step by step."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the folder, ``runs/<name>``, where ``--out`` does not."""

    prepare: ConfigPath | None = None
    """Configuration of ``hypsweep prepare``; absent where the data set is there already."""

    data: ConfigPath | None = None
    """A ``data.yaml`` instead of ``prepare``; absent takes the sweep's own."""

    sweep: ConfigPath
    """Configuration of ``hypsweep sweep``; its ``data`` is what the flow prepared."""

    set: dict[str, Any] = Field(default_factory=dict)
    """Dotted keys of the sweep that are different here."""

    confirm: ConfirmStep | None = ConfirmStep()
    """``null`` takes the best trial as it is."""

    final: FinalStep = FinalStep()
    """The training on the full data set."""

    score: ScoreStep | None = ScoreStep()
    """``null`` leaves it out."""

    errors: ErrorsStep | None = ErrorsStep()
    """``null`` leaves it out."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.prepare is not None and self.data is not None:
            raise ValueError("`prepare` makes a data set and `data` names one; remove one of them")
        return self

    @property
    def threshold_metric(self) -> str:
        """By what thresholds are chosen."""
        by_iou = "score50" if self.score is not None and self.score.iou == 0.5 else "score75"
        return self.final.threshold_metric or by_iou

    def overrides(self, data: Path | None) -> list[str]:
        """What differs from the sweep's YAML, as ``--set`` takes it.

        Args:
            data:
                The flow's ``data.yaml``; None leaves the sweep's own.
        """
        changed = {**self.set, **({} if data is None else {"data": str(data)})}
        return [f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in changed.items()]


def load_flow_config(path: str | Path) -> FlowConfig:
    """Read a flow's YAML; relative paths in it are taken against its own folder.

    Raises:
        InputError: One sentence with file, key and remedy.
    """
    return load_model(Path(path), FlowConfig)
