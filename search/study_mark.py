"""A sweep's folder remembers that its study was made, and which one it is.

A storage that is gone, or that a wrong URL names, is empty; the study would silently begin anew there. The mark is
``drivers/study.key``, with the key that the study itself holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.errors import InputError
from search.drivers import DRIVERS
from search.journal import JOURNAL
from search.paths import write_text
from search.storage import CHECKPOINTS
from search.study_url import shown_url, sqlite_file

if TYPE_CHECKING:
    import optuna

    from search.config import SweepConfig

_MARK = "study.key"
_TRACES = (f"{DRIVERS}/{_MARK}", "results.csv", f"{CHECKPOINTS}/session_*")
"""What only a sweep with a study leaves; folders of earlier versions have no mark."""


def refuse_lost_file(config: SweepConfig, run_dir: Path) -> None:
    """Refuse a study whose file is gone, before opening it would make an empty one.

    Raises:
        InputError: The folder had a study, and there is no such file.
    """
    file = run_dir / JOURNAL if config.study_storage is None else sqlite_file(config.study_storage)
    if file is not None and not file.exists():
        refuse_lost(config, run_dir)


def refuse_lost(config: SweepConfig, run_dir: Path) -> None:
    """Refuse a storage without the sweep's study, if there was one before.

    Raises:
        InputError: There was.
    """
    if any(True for trace in _TRACES for _ in run_dir.glob(trace)):
        where = str(run_dir / JOURNAL) if config.study_storage is None else shown_url(config.study_storage)
        raise InputError(
            f"{where} holds no study `{config.name}`, and the sweep in {run_dir} had one: put it back, or correct "
            "`study_storage` in the sweep.yaml there (a relative SQLite file starts at that folder)."
        )


def check_mark(study: optuna.Study, run_dir: Path, *, new: bool) -> None:
    """Mark the folder with its study, a new one or the first that is seen.

    Raises:
        InputError: It is marked with another one of that name.
    """
    path, key = run_dir / DRIVERS / _MARK, str(study.user_attrs.get("key", ""))
    if new or not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, key)
    elif path.read_text(encoding="utf-8") != key:
        raise InputError(
            f"the study `{study.study_name}` in the storage is another sweep's: put back that of {run_dir}, or correct "
            "`study_storage` in the sweep.yaml there."
        )
