"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Address = Annotated[str | None, typer.Option(help="Ray cluster to run on, host:port or `auto`; a local Ray if absent.")]
Run = Annotated[Path, typer.Argument(help="Folder of a sweep.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
