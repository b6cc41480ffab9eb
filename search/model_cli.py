"""The commands about finished models and what they predict: ``score``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from search.arguments import Json


def add_model_commands(app: typer.Typer) -> None:
    """Add the commands about finished models to an application, in the order in which one needs them."""
    app.command()(score)


def score(
    answer: Annotated[Path, typer.Argument(help="CSV: ImageID,LabelName,XMin,XMax,YMin,YMax.")],
    prediction: Annotated[
        Path, typer.Argument(help="CSV: ImageID,LabelName,Conf,XMin,XMax,YMin,YMax, in the units of ANSWER.")
    ],
    iou: Annotated[float, typer.Option(min=0, max=1, help="Least overlap of a right prediction.")] = 0.75,
    as_json: Json = False,
) -> None:
    """Score predictions against answers: mean average precision, as map-boxes computes it."""
    from search.model_display import score_remarks, score_table
    from trainable.score import score_files

    found = score_files(answer, prediction, iou)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        score_table(Console(), found)
    score_remarks(Console(stderr=as_json), found, answer, prediction)
