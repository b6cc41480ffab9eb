"""Writes a sweep's report: one HTML page that needs nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from data_prep.eda.shell import html_page
from data_prep.errors import InputError
from search.confirm.result import Confirmation, read_confirmation
from search.paths import write_text
from search.report import sections
from search.report.facts import Facts, gather, importances
from search.results import read_run
from search.space import load_space
from search.yields import member_yields

REPORT = "report.html"
GENERATOR = '<meta name="generator" content="hypsweep report">'


def write_report(run_dir: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a sweep, whose driver may be at work.

    Args:
        run_dir:
            The sweep's folder.
        out:
            The file to write; None takes ``report.html`` in the folder.

    Returns:
        The file.

    Raises:
        InputError: The folder holds no sweep, or ``out`` cannot be written.
    """
    run_dir = Path(run_dir).absolute()
    config, study = read_run(run_dir)
    facts = gather(study, config, load_space(config.space))
    path = Path(out).absolute() if out is not None else run_dir / REPORT
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        confirmed = read_confirmation(run_dir, study, config.settings().train_split)
        write_text(path, _page(facts, importances(study), member_yields(study), run_dir, confirmed))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another file.") from error
    return path


def _page(
    facts: Facts, important: dict[str, float], yields: pd.DataFrame, run_dir: Path, confirmed: Confirmation | None
) -> str:
    built = {
        "outcome": ("Outcome", sections.outcome(facts, run_dir)),
        **({"confirmation": ("Confirmation", sections.confirmation(confirmed))} if confirmed else {}),
        "curves": ("Learning curves", sections.curves(facts)),
        "rungs": ("Rungs", sections.rung_table(facts)),
        "parameters": ("Parameters", sections.parameters(facts, important)),
        "samplers": ("What each sampler yielded", sections.samplers(yields)),
        "trials": ("Trials", sections.trials(facts)),
        "settings": ("Settings", sections.settings(facts)),
    }
    return html_page(f"Sweep {facts.config.name}", "report", GENERATOR, _tiles(facts), built)


def _tiles(facts: Facts) -> list[tuple[str, str]]:
    full = sum(trial.state.name == "COMPLETE" for trial in facts.trials)
    whole = facts.epochs_run / facts.config.epochs
    tiles = [
        (str(len(facts.trials)), "trials"),
        (str(full), "ran to their last epoch"),
        (str(facts.epochs_run), f"epochs trained, as many as {whole:.1f} full trainings"),
    ]
    if facts.best is not None:
        tiles.append((f"{facts.best.value:.4g}", f"best {facts.config.metric}"))
        if facts.best.default_value is not None:
            tiles.append((f"{facts.best.default_value:.4g}", "the hyp that the sweep started from"))
    return tiles
