"""The commands about finished weights: ``thresholds``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

_Weights = Annotated[Path, typer.Argument(help="Weights of YOLOv5 or hypsweep, a .pt file.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
_ImageSize = Annotated[
    int | None, typer.Option(min=32, help="Longer side in pixels; that of the training if absent, else 640.")
]
_Model = Annotated[str | None, typer.Option(help="Name of the model, e.g. yolov5n; found out if absent.")]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def add_model_commands(app: typer.Typer) -> None:
    """Add the commands about finished weights to an application, in the order in which one needs them."""
    app.command()(thresholds)


def thresholds(
    weights: _Weights,
    data: Annotated[Path, typer.Argument(help="The data.yaml.")],
    split: Annotated[str, typer.Option(help="Split that the weights were not trained on, e.g. val or test.")] = "val",
    metric: Annotated[
        str,
        typer.Option(
            help="score75, score50, map75, map50, map50_95, fitness, f1, precision@recall=R or recall@precision=P."
        ),
    ] = "score75",
    match_iou: Annotated[float, typer.Option(help="IoU of a match for f1 and the metrics with @.")] = 0.5,
    out: Annotated[Path | None, typer.Option(help="Folder to write; thresholds beside the weights if absent.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-fitting.")] = 5,
    resamples: Annotated[int, typer.Option(min=1, help="Of the bootstrap.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of folds and bootstrap.")] = 0,
    image_size: _ImageSize = None,
    model: _Model = None,
    device: _Device = "auto",
    as_json: _Json = False,
) -> None:
    """Choose confidence, NMS IoU and number of detections for weights, and say what that gains."""
    from search.data_display import picture_progress
    from search.model_display import thresholds_summary
    from trainable.thresholds import ThresholdOptions, tune_thresholds

    console, folder = Console(stderr=as_json), out or weights.parent / "thresholds"
    options = ThresholdOptions(
        split=split,
        metric=metric,
        match_iou=match_iou,
        folds=folds,
        resamples=resamples,
        seed=seed,
        image_size=image_size,
        model=model,
        device=device,
    )
    with picture_progress(console) as progress:
        choice, content = tune_thresholds(weights, data, folder, options, progress)
    if as_json:
        typer.echo(json.dumps(content, allow_nan=False))
    else:
        thresholds_summary(console, choice, folder)
