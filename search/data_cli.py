"""The commands about data: ``prepare``, ``check``, ``eda`` and ``compare-splits``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from data_prep.errors import InputError, StoppedError
from data_prep.files import write_atomically
from search.arguments import Json

_Target = Annotated[
    Path, typer.Argument(help="Folder of a data set, a data.yaml, or a configuration of prepare (raw data).")
]


def add_data_commands(app: typer.Typer) -> None:
    """Add the commands about data to an application, in the order in which one needs them."""
    app.command()(check)
    app.command()(prepare)
    app.command()(eda)
    app.command("compare-splits")(compare_splits)


def prepare(
    config: Annotated[Path, typer.Argument(help="YAML that says which raw data to read and how to split it.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the data set; datasets/<config name> if absent.")] = None,
) -> None:
    """Turn raw data into a stratified, checked, reproducible YOLO data set."""
    from data_prep.config import load_prepare_config
    from data_prep.prepare import prepare as run
    from search.data_display import dataset_summary, picture_progress

    console = Console()
    target = out or Path("datasets") / config.stem
    try:
        with picture_progress(console) as progress:
            data = run(load_prepare_config(config), target, progress)
    except KeyboardInterrupt as error:
        raise StoppedError("stopped; the same command again goes on where it was.") from error
    dataset_summary(console, data)


def check(
    target: _Target,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="CSV file to write all findings to.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a data set or raw data; ends with 1 where something must be dealt with."""
    from data_prep.check import check as run
    from data_prep.reports import findings_csv
    from search.data_display import findings_summary, picture_progress

    console = Console(stderr=as_json)
    with picture_progress(console) as progress:
        found = run(target, progress)
    if out is not None:
        _write(out, findings_csv(found.findings))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        findings_summary(console, found.findings)
        console.print(f"{found.images} pictures, {len(found.findings)} findings", markup=False, highlight=False)
    if not found.sound:
        sys.exit(1)


def eda(
    target: _Target,
    out: Annotated[Path | None, typer.Option(help="Folder for page and tables; eda/<name> if absent.")] = None,
    plots: Annotated[bool, typer.Option("--plots", help="Write every plot as a PNG file, too.")] = False,
    as_json: Json = False,
) -> None:
    """Show a data set or raw data in tables and pictures: eda.html and parquet files."""
    from data_prep.explore import explore
    from search.data_display import picture_progress

    console = Console(stderr=as_json)
    with picture_progress(console) as progress:
        page, summary = explore(target, out, progress, plots=plots)
    if as_json:
        typer.echo(json.dumps({"page": str(page), **summary.as_dict()}, allow_nan=False))
    else:
        typer.echo(page)


def compare_splits(
    target: _Target,
    distance: Annotated[
        int | None, typer.Option(min=0, max=127, help="Bits of 255 in which look-alikes may differ.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how even the splits of a data set are, and which pictures leak from one into another."""
    from data_prep.compare import compare_splits as run
    from search.data_display import comparison_summary, picture_progress

    console = Console(stderr=as_json)
    with picture_progress(console) as progress:
        found = run(target, progress, distance)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        comparison_summary(console, found)


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another file") from error
