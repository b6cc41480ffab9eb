"""``thresholds.yaml`` of a promotion: chosen with the confirmed weights, which were trained on ``train`` alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_prep.errors import DataMissingError, WorkFailedError
from search.confirm.plan import TRAIN as TRAINED_ON
from search.confirm.result import Confirmation
from search.paths import write_text
from search.promotion.publish import THRESHOLDS


@dataclass(frozen=True)
class FoundThresholds:
    """The thresholds of a promotion.

    Attributes:
        content:
            Of ``thresholds.yaml``; None: there are none.
        reason:
            Why there are none.
    """

    content: dict[str, Any] | None
    reason: str = ""


def write_thresholds(
    confirmed: Confirmation | None, metric: str, folder: Path, say: Callable[[str], None]
) -> FoundThresholds:
    """Choose thresholds on the split that the sweep validated on, and write ``thresholds.yaml`` into a folder.

    The final weights have seen that split. Those of the confirmation have not: same hyp, same model, other pictures.

    Args:
        confirmed:
            What the promotion rests on; None: nothing was confirmed.
        metric:
            See :func:`trainable.thresholds.parse_measure`.
        folder:
            Where to.
        say:
            Told what begins.

    Raises:
        InputError: There is no such metric, or the data set has changed.
        OSError: The file cannot be written.
    """
    if confirmed is None:
        return FoundThresholds(None, "nothing was confirmed, and the final weights have seen the validation pictures")
    if confirmed.checkpoint is None:
        return FoundThresholds(None, "the confirmation left no checkpoint of the winner's")
    from trainable.checkpoint_weights import weights_of_checkpoint  # loads torch
    from trainable.thresholds import ThresholdOptions, tune_thresholds

    name = "the default hyp" if confirmed.trial == 0 else f"trial {confirmed.trial}"
    with tempfile.TemporaryDirectory() as place:
        weights = Path(place, f"trial_{confirmed.trial:05d}_confirmed.pt")
        try:
            settings = weights_of_checkpoint(confirmed.checkpoint, weights)
            split = settings.val_split or "val"
            say(f"choosing thresholds by {metric} on `{split}`, with the confirmed weights of {name}")
            options = ThresholdOptions(split=split, metric=metric, model=settings.model, device=settings.device)
            _, tuned = tune_thresholds(weights, settings.data, place, options)
        # A checkpoint that was damaged, or too few pictures, are no reason to withhold weights that are finished.
        except (DataMissingError, WorkFailedError) as error:
            return FoundThresholds(None, str(error))
        header = (
            f"# Chosen with weights of the same hyp that were trained on `{TRAINED_ON}` alone: those beside this file\n"
            f"# have seen `{split}`. `hypsweep predict` takes this file by itself where it lies beside the weights.\n"
        )
        content = unless_shown(tuned)
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
        write_text(folder / THRESHOLDS, header + text)
    return FoundThresholds(content)


def unless_shown(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``thresholds.yaml`` with val's defaults in it where no gain over them is shown.

    As for a hyp: what is not shown to be better is not promoted. What was found best then stands in ``best_found``.
    """
    if content["gain"]["shown"]:
        return dict(content)
    default, found = content["values"]["default"], content["chosen"]
    return {
        **content,
        "chosen": {name: default[name] for name in found},
        "best_found": {**found, **content["values"]["chosen"]},
        "values": {**content["values"], "chosen": {n: v for n, v in default.items() if n not in found}},
        "notes": [*content["notes"], "so the defaults stand; what was best here is in `best_found` of thresholds.yaml"],
    }
