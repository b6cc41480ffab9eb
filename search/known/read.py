"""Which reader a source needs."""

from __future__ import annotations

from pathlib import Path

from data_prep.errors import InputError
from data_prep.text import printable
from search.config_files import SWEEP_YAML
from search.journal import JOURNAL
from search.known.evolve import EVOLVE_CSV, METRICS, read_evolve
from search.known.hyps import read_hyp_file
from search.known.results import read_results_csv, read_results_parquet
from search.known.source import KnownSource
from search.known.studies import read_journal, read_run_folder, read_storage
from search.known.tables import read_csv, shown
from search.known.yolov5_run import HYP, read_yolov5_run
from search.paths import is_uri

FORMS = (
    "a hyp YAML, an evolve.csv, a results.csv or results.parquet, the folder of a sweep or of a YOLOv5 training, "
    "a study.journal, or a storage URL with #study"
)


def read_known(source: str) -> KnownSource:
    """Read what is known from a file, a folder or an Optuna storage URL.

    Args:
        source:
            What to read; ``#name`` behind a journal or a URL names the study.

    Raises:
        InputError: There is nothing, it is damaged, or nothing in it can be used.
    """
    known = _read(source)
    if not known.trials:
        left = f" ({'; '.join(known.left_out)})" if known.left_out else ""
        raise InputError(f"{known.name} holds no config that can be used{left}: give another source.")
    return known


def _read(source: str) -> KnownSource:
    if is_uri(source):
        url, _, name = source.partition("#")
        return read_storage(url, name or None)
    path, name = Path(source).absolute(), ""
    try:
        if not path.exists() and "#" in path.name:
            stem, _, name = path.name.rpartition("#")
            path = path.with_name(stem or path.name)
        return _from_folder(path) if path.is_dir() else _from_file(path, name or None)
    except (OSError, ValueError) as error:  # a name that is too long, or holds a NUL
        raise (
            error
            if isinstance(error, InputError)
            else InputError(f"{printable(source[:200])!r} is no path that can be read: give {FORMS}.")
        ) from error


def _from_folder(folder: Path) -> KnownSource:
    if (folder / SWEEP_YAML).is_file():
        return read_run_folder(folder)
    if (folder / EVOLVE_CSV).is_file():
        return read_evolve(folder / EVOLVE_CSV)
    if (folder / HYP).is_file() and (folder / "results.csv").is_file():
        return read_yolov5_run(folder / "results.csv")
    raise InputError(f"{shown(folder)} holds neither a sweep nor a run of YOLOv5: give {FORMS}.")


def _from_file(path: Path, name: str | None) -> KnownSource:
    if not path.is_file():
        raise InputError(f"there is no file {shown(path)}: correct the path.")
    kind = path.suffix.lower()
    if kind == Path(JOURNAL).suffix:
        return read_journal(path, name)
    if name is not None:
        raise InputError(f"{shown(path)} is no journal, so #{printable(name)} names nothing in it: leave that out.")
    if kind in (".yaml", ".yml"):
        return read_hyp_file(path)
    if kind == ".parquet":
        return read_results_parquet(path)
    if kind == ".csv":
        return _from_csv(path)
    raise InputError(f"{shown(path)} is of no kind that is known: give {FORMS}.")


def _from_csv(path: Path) -> KnownSource:
    names, _ = read_csv(path)
    if any(name in METRICS for name in names):
        return read_yolov5_run(path) if "epoch" in names else read_evolve(path)
    return read_results_csv(path)
