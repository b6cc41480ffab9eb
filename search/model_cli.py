"""The commands about finished weights: ``thresholds``, ``errors``, ``predict``, ``silver``, ``score``, ``onnx``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from search.arguments import Json
from search.silver_cli import silver

_Weights = Annotated[Path, typer.Argument(help="Weights of YOLOv5 or hypsweep, a .pt file.")]
_ImageSize = Annotated[
    int | None, typer.Option(min=32, help="Longer side in pixels; that of the training if absent, else 640.")
]
_Split = Annotated[str, typer.Option(help="Split that the weights were not trained on, e.g. val or test.")]
_Model = Annotated[str | None, typer.Option(help="Name of the model, e.g. yolov5n; found out if absent.")]
_Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def add_model_commands(app: typer.Typer) -> None:
    """Add the commands about finished weights to an application, in the order in which one needs them."""
    app.command()(thresholds)
    app.command()(errors)
    app.command()(predict)
    app.command()(silver)
    app.command()(score)
    app.command()(onnx)


def thresholds(
    weights: _Weights,
    data: Annotated[Path, typer.Argument(help="The data.yaml.")],
    split: _Split = "val",
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
    as_json: Json = False,
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


def errors(
    weights: _Weights,
    data: Annotated[Path, typer.Argument(help="The data.yaml.")],
    split: _Split = "val",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder to write; errors beside the weights if absent.")
    ] = None,
    iou: Annotated[float, typer.Option(help="Least overlap of a right prediction.")] = 0.5,
    confidence: Annotated[
        float | None, typer.Option(help="Working confidence; of the thresholds, else the one with the best F1.")
    ] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="thresholds.yaml; that of the weights, beside them, if absent.")
    ] = None,
    missing_precision: Annotated[
        float, typer.Option(help="How sure a missing label must be: share of such predictions that are right.")
    ] = 0.8,
    image_size: _ImageSize = None,
    model: _Model = None,
    device: _Device = "auto",
    as_json: Json = False,
) -> None:
    """Say what goes wrong: per class and size, by kind of error and its cost; list labels that may be missing."""
    from search.data_display import picture_progress
    from search.model_display import errors_summary
    from trainable.error_analysis import ErrorOptions, MissingRules, analyse_errors

    console, folder = Console(stderr=as_json), out or weights.parent / "errors"
    options = ErrorOptions(
        split=split,
        iou=iou,
        confidence=confidence,
        thresholds=thresholds,
        rules=MissingRules(precision=missing_precision),
        image_size=image_size,
        model=model,
        device=device,
    )
    with picture_progress(console) as progress:
        found, content = analyse_errors(weights, data, folder, options, progress)
    if as_json:
        typer.echo(json.dumps(content, allow_nan=False))
    else:
        errors_summary(console, found, folder)


def predict(
    weights: _Weights,
    source: Annotated[
        Path, typer.Argument(help="Folder, zip or tar, .txt list, data.yaml, video or picture; nothing is unpacked.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="FILE.csv, FILE.json (COCO) or a new folder (YOLO).")],
    format_: Annotated[str | None, typer.Option("--format", help="csv, coco or yolo; by the suffix if absent.")] = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="thresholds.yaml; if absent, the one beside the weights, if there is one.")
    ] = None,
    conf: Annotated[float | None, typer.Option(help="Confidence threshold; 0.25 if nothing says.")] = None,
    iou: Annotated[float | None, typer.Option(help="IoU threshold of NMS; 0.45 if nothing says.")] = None,
    max_det: Annotated[int | None, typer.Option(help="Most boxes of a picture; 1000 if nothing says.")] = None,
    agnostic: Annotated[
        bool | None, typer.Option("--agnostic/--no-agnostic", help="Boxes of other classes suppress a box, too.")
    ] = None,
    image_size: _ImageSize = None,
    pictures: Annotated[Path | None, typer.Option(help="New folder for pictures with the boxes drawn in.")] = None,
    split: Annotated[str | None, typer.Option(help="Of a data.yaml; test if absent, else val.")] = None,
    data: Annotated[Path | None, typer.Option(help="data.yaml with the class names; those of the weights.")] = None,
    model: _Model = None,
    device: _Device = "auto",
    as_json: Json = False,
) -> None:
    """Predict boxes; ends with 1 where a picture could not be read, after all others were written."""
    from search.data_display import picture_progress
    from search.model_display import predict_summary
    from trainable.nms import DETECT
    from trainable.predict import PredictOptions
    from trainable.predict import predict as run
    from trainable.thresholds import KnownThresholds, read_thresholds, thresholds_beside

    source_of_them = thresholds or thresholds_beside(weights)
    known = KnownThresholds(DETECT, None) if source_of_them is None else read_thresholds(source_of_them)
    given: dict[str, Any] = {"confidence": conf, "iou": iou, "max_detections": max_det, "agnostic": agnostic}
    options = PredictOptions(
        settings=replace(known.settings, **{name: value for name, value in given.items() if value is not None}),
        image_size=image_size or known.image_size,
        form=format_,
        pictures=pictures,
        split=split,
        data=data,
        model=model,
        device=device,
    )
    console = Console(stderr=as_json)
    with picture_progress(console) as progress:
        found = run(weights, source, out, options, progress)
    if as_json:
        taken = None if source_of_them is None else str(source_of_them)
        said = {"out": str(out), "thresholds": taken, **options.settings.as_dict(), **found._asdict()}
        typer.echo(json.dumps(said, allow_nan=False))
    else:
        predict_summary(console, found, options.settings, out, source_of_them)
    if found.unreadable:
        sys.exit(1)


def score(
    answer: Annotated[Path, typer.Argument(help="CSV: ImageID,LabelName,XMin,XMax,YMin,YMax; or a data.yaml.")],
    prediction: Annotated[
        Path, typer.Argument(help="CSV: ImageID,LabelName,Conf,XMin,XMax,YMin,YMax, in the units of ANSWER.")
    ],
    iou: Annotated[float, typer.Option(min=0, max=1, help="Least overlap of a right prediction.")] = 0.75,
    split: Annotated[str | None, typer.Option(help="Of a data.yaml; test if absent, else val.")] = None,
    as_json: Json = False,
) -> None:
    """Score predictions against answers: mean average precision, as map-boxes computes it."""
    from search.model_display import score_remarks, score_table
    from trainable.score import score_files

    found = score_files(answer, prediction, iou, split)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        score_table(Console(), found)
    score_remarks(Console(stderr=as_json), found, answer, prediction)


def onnx(
    weights: _Weights,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="FILE.onnx; beside the weights if absent.")] = None,
    image_size: Annotated[
        str | None,
        typer.Option(help="640, or height x width, 384x640; that of the training if absent, else 640.", metavar="SIZE"),
    ] = None,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Leave number and size of the images free.")] = False,
    half: Annotated[bool, typer.Option("--half", help="float16 weights, input and output.")] = False,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder, archive, list, data.yaml or picture to check it on, besides noise.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="data.yaml with the class names; those of the weights.")] = None,
    model: _Model = None,
    as_json: Json = False,
) -> None:
    """Export weights to ONNX, once onnxruntime has said of pictures what PyTorch says; NMS is left to the user."""
    from search.model_display import onnx_summary
    from trainable.export import OnnxOptions, export_onnx, parse_size

    options = OnnxOptions(
        image_size=None if image_size is None else parse_size(image_size),
        dynamic=dynamic,
        half=half,
        pictures=pictures,
        data=data,
        model=model,
    )
    found = export_onnx(weights, out, options)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        onnx_summary(Console(), found)
