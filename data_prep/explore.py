"""``hypsweep eda``: a data set or raw data in tables and pictures."""

from __future__ import annotations

from pathlib import Path

from data_prep.eda import PAGE_NAME, EdaSummary, require_replaceable, write_eda
from data_prep.gather import gather
from data_prep.progress import Progress, silent
from data_prep.store import RawStore
from data_prep.targets import load_target, splits_of


def explore(
    path: Path, out: Path | None = None, progress: Progress | None = None, *, plots: bool = False
) -> tuple[Path, EdaSummary]:
    """Write ``eda.html``, one page that needs nothing else, and the tables behind it (parquet).

    Args:
        path:
            Folder of a data set, a stock ``data.yaml``, or the configuration of ``hypsweep prepare``.
        out:
            Folder to write into; None takes ``eda/<name>`` in the working directory. An older EDA there is replaced.
        progress:
            Told of every picture in the stages ``read``, ``look`` and ``draw``.
        plots:
            Write every plot as a PNG file, too.

    Returns:
        The page, absolute, and its figures.

    Raises:
        InputError: The data cannot be read as a whole, or ``out`` holds something else.
    """
    report = progress or silent
    target = load_target(path)
    folder = (out or Path("eda") / target.title).absolute()
    require_replaceable(folder)  # before minutes of reading, not after
    with RawStore(target.config.limits) as store:
        gathered = gather(target.config, store, report)
        splits = splits_of(target, gathered) if target.folder is not None else {}
        summary = write_eda(
            (*gathered.pool, *gathered.tests),
            gathered.names,
            gathered.findings,
            folder,
            title=target.title,
            splits={split.value: records for split, records in splits.items()},
            stratification=target.config.stratification,
            read=store.read,
            progress=report,
            plots=plots,
        )
    return folder / PAGE_NAME, summary
