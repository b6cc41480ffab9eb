"""The errors of the weights that were confirmed: those trained on ``train`` alone, on the validation pictures."""

from __future__ import annotations

from pathlib import Path

from data_prep.progress import Progress
from search.flow.config import ErrorsStep
from search.flow.step import Made
from trainable.checkpoint_weights import weights_of_checkpoint
from trainable.error_analysis import ErrorOptions, analyse_errors
from trainable.error_analysis.kinds import Kind

ERRORS = "errors"
WEIGHTS = "weights.pt"


def confirmed_errors(checkpoint: str, out: Path, asked: ErrorsStep, progress: Progress) -> Made:
    """Analyse the errors of a checkpoint of the confirmation.

    Args:
        checkpoint:
            Path or URI.
        out:
            Folder for the weights and the analysis.
        asked:
            How.
        progress:
            Told of each picture.

    Returns:
        The page, how many errors of each kind there are and what AP they cost, and how many labels may be missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = weights_of_checkpoint(checkpoint, out / WEIGHTS)
    options = ErrorOptions(
        split=settings.val_split or "val",
        iou=asked.iou,
        image_size=settings.image_size,
        model=settings.model,
        device=settings.device,
    )
    found, _ = analyse_errors(out / WEIGHTS, settings.data, out, options, progress)
    kinds = {
        kind.name.lower(): {"errors": found.working_verdicts.count(kind), "cost": found.cost(kind)} for kind in Kind
    }
    files = tuple(out / name for name in ("errors.html", "errors.json", "missing_labels.csv"))
    return Made(files, {"page": str(out / files[0].name), "kinds": kinds, "missing_labels": len(found.missing)})
