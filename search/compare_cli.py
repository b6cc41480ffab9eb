"""``hypsweep compare``: training arms over the same new seeds, from a YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from search.arguments import Address, Json


def compare(
    config: Annotated[
        Path, typer.Argument(help="YAML that says what is compared, see configs/comparisons; or a comparison's folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the comparison; runs/<name> if absent.")] = None,
    max_seeds: Annotated[int | None, typer.Option(min=2, help="Seeds at most, instead of the YAML's.")] = None,
    as_json: Json = False,
    address: Address = None,
) -> None:
    """Train models, optimizers, data or whatever differs over the same seeds; say which is better, and how surely."""
    from search.compare.config import load_comparison
    from search.compare.display import comparison_summary
    from search.display import sweep_options

    changes: dict[str, Any] = {} if max_seeds is None else {"max_seeds": max_seeds}
    console, loaded = Console(stderr=as_json), load_comparison(config, **changes)
    from search.compare.run import compare as run_comparison  # loads Ray; a wrong config is said before

    folder = out or (config if config.is_dir() else Path("runs") / loaded.name)
    found = run_comparison(loaded, folder, sweep_options(console, address))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        comparison_summary(console, found)
