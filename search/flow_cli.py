"""``hypsweep run``: the whole job from a YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from search.arguments import Address, Json


def run(
    flow: Annotated[Path, typer.Argument(help="YAML that says what is done; see configs/flow.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the flow; runs/<name> if absent.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Look at this step and those after it again.")
    ] = None,
    as_json: Json = False,
    address: Address = None,
) -> None:
    """Prepare, sweep, confirm, train, score, report; started again it does what is not done."""
    from search.flow.config import load_flow_config

    config, console = load_flow_config(flow), Console(stderr=as_json)
    from search.flow.run import run_flow  # loads Ray and torch; a wrong config is said before
    from search.flow_display import flow_summary, flow_watch

    with flow_watch(console, address) as watch:
        found = run_flow(config, out or Path("runs") / config.name, watch, start)
    if as_json:
        typer.echo(json.dumps({"folder": str(found.folder), "ran": found.ran, **found.results}, allow_nan=False))
    else:
        flow_summary(console, found)
