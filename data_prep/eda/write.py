"""Writes the EDA of a data set into a folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data_prep.eda.charts import Chart, to_png
from data_prep.eda.content import Content
from data_prep.eda.gallery import build_charts, largest_classes
from data_prep.eda.page import GENERATOR, build_page
from data_prep.eda.sheets import SHEET_PICTURES, Read, Wanted, choose, class_sheets, draw_sheets, worst_sheet
from data_prep.eda.summary import EdaSummary, summarise
from data_prep.eda.tables import Tables, build_tables
from data_prep.errors import InputError
from data_prep.findings import Finding
from data_prep.labels import Stratification
from data_prep.progress import Progress, silent
from data_prep.records import ImageRecord

PAGE_NAME = "eda.html"
_TABLES = ("images", "boxes", "findings")
_PLOTS = "plots"


def write_eda(
    records: Sequence[ImageRecord],
    names: Sequence[str],
    findings: Sequence[Finding],
    out: Path,
    *,
    title: str,
    splits: Mapping[str, Sequence[ImageRecord]] | None = None,
    stratification: Stratification | None = None,
    read: Read | None = None,
    progress: Progress = silent,
    seed: int = 0,
    plots: bool = False,
) -> EdaSummary:
    """Write ``eda.html`` and the tables behind it (parquet) into a folder, all of it or nothing.

    Args:
        records:
            The pictures with their boxes.
        names:
            Class names; class ids index them.
        findings:
            What was found wrong with them.
        out:
            The folder. An EDA that lies there is replaced; anything else is refused.
        title:
            Name of the data set.
        splits:
            Pictures of ``records`` per split, in the order in which they are shown; they may overlap.
        stratification:
            Thresholds of box counts, shapes and sizes; None takes the defaults.
        read:
            Returns the bytes of a picture, in several threads at once; None shows no pictures.
        progress:
            Told of every picture that is drawn, as stage ``draw``.
        seed:
            Chooses the pictures that are shown.
        plots:
            Write every plot as a PNG file, too, into the folder ``plots``.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    require_replaceable(out)
    thresholds = stratification or Stratification()
    ordered = sorted(records, key=lambda record: record.key)
    tables = build_tables(ordered, names, findings, splits or {}, thresholds)
    summary = summarise(tables, title, list(splits or {}), thresholds)
    charts = build_charts(tables, summary, thresholds)
    content = _content(ordered, findings, tables, summary, thresholds, charts, read, progress, seed)
    files = {PAGE_NAME: build_page(content).encode()}
    if plots:
        files |= {f"{_PLOTS}/{chart.name}.png": to_png(chart) for group in charts.values() for chart in group}
    try:
        _publish(out, files, tables)
    except OSError as error:
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another folder") from error
    return summary


def _content(
    records: Sequence[ImageRecord], findings: Sequence[Finding], tables: Tables, summary: EdaSummary,
    stratification: Stratification, charts: Mapping[str, Sequence[Chart]], read: Read | None, progress: Progress,
    seed: int,
) -> Content:  # fmt: skip
    classes = largest_classes(summary)
    sheets: dict[str, list[Wanted]] = {}
    if read is not None:
        by_class = class_sheets(records, classes, seed)
        sheets = {f"class {class_id}": wanted for class_id, wanted in by_class.items()}
        empty = choose([record for record in records if not record.boxes], SHEET_PICTURES, (seed, len(tables.names)))
        sheets["background"] = [Wanted(record, record.file_name) for record in empty]
        sheets["worst"] = worst_sheet(records, findings)
        drawn = draw_sheets(sheets, read, progress)
    else:
        drawn = {}
    return Content(
        summary,
        tables,
        stratification,
        charts,
        {class_id: drawn[f"class {class_id}"] for class_id in classes if f"class {class_id}" in drawn},
        drawn.get("background", []),
        drawn.get("worst", []),
        has_pictures=read is not None and any(record.source is not None for record in records),
    )


def require_replaceable(out: Path) -> None:
    """Refuse a place where something else than an EDA of ours lies.

    Raises:
        InputError: It does.
    """
    advice = "name a folder that is new or holds an EDA"
    if not out.exists() and not out.is_symlink():
        return
    if out.is_symlink() or not out.is_dir():
        raise InputError(f"{out} is no folder; {advice}")
    ours = {PAGE_NAME, _PLOTS, *(f"{name}.parquet" for name in _TABLES)}
    others = sorted(path.name for path in out.iterdir() if path.name not in ours)
    page = out / PAGE_NAME
    known = page.is_file() and GENERATOR.encode() in page.read_bytes()[:1000]
    if others or (not known and any(out.iterdir())):
        raise InputError(f"{out} holds {others[0] if others else 'files'} and would be replaced; {advice}")


def _publish(out: Path, files: Mapping[str, bytes], tables: Tables) -> None:
    """Build the folder beside its place, then let it take that place."""
    draft, old = (out.with_name(f".{out.name}.{os.getpid()}.{part}") for part in ("draft", "old"))
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        for name in _TABLES:
            table: pd.DataFrame = getattr(tables, name)
            table.to_parquet(draft / f"{name}.parquet", index=False)
        if out.exists():
            out.rename(old)
        draft.rename(out)
    except BaseException:  # Ctrl-C, too
        if old.exists() and not out.exists():
            old.rename(out)
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
