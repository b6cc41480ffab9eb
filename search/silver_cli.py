"""``hypsweep silver``: predictions become labels of a new data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data_prep.errors import StoppedError
from search.arguments import Json


def silver(
    weights: Annotated[Path, typer.Argument(help="Weights of YOLOv5 or hypsweep, a .pt file.")],
    dataset: Annotated[Path, typer.Argument(help="The gold data set: its folder, or any stock data.yaml.")],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Pictures to predict: folder, zip or tar, .txt list, picture, or the train split of a data.yaml; "
            "those of gold train if absent."
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder of the new data set.")],
    confidence: Annotated[float, typer.Option(help="A prediction is a label if it is more confident.")] = 0.5,
    iou: Annotated[float, typer.Option(help="IoU threshold of NMS.")] = 0.6,
    min_boxes: Annotated[int, typer.Option(help="Fewer boxes in a picture are no labels.")] = 1,
    merge_iou: Annotated[float, typer.Option(help="Overlap from which a gold box stands for a prediction.")] = 0.3,
    floor: Annotated[float, typer.Option(help="Least confidence that is kept to try thresholds on later.")] = 0.05,
    image_size: Annotated[
        int | None, typer.Option(min=32, help="Longer side in pixels; that of the training if absent, else 640.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model, e.g. yolov5n; found out if absent.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Json = False,
) -> None:
    """Add predictions of a model to the labels of training pictures, as a data set of its own."""
    from data_prep.silver.rule import SilverRule
    from search.data_display import picture_progress
    from search.silver_display import silver_summary
    from trainable.silver.run import SilverOptions, make_silver

    rule = SilverRule(confidence=confidence, iou=iou, min_boxes=min_boxes, merge_iou=merge_iou)
    options = SilverOptions(rule=rule, floor=floor, image_size=image_size, model=model, device=device)
    console = Console(stderr=as_json)
    try:
        with picture_progress(console) as progress:
            found = make_silver(weights, dataset, out, source, options, progress)
    except KeyboardInterrupt as error:
        raise StoppedError("stopped; the same command again goes on where it was.") from error
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        silver_summary(console, found)
