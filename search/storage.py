"""Where a sweep's checkpoints go, and how much room they take there."""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pyarrow.fs import FileSelector, FileSystem, FileType  # type: ignore[import-untyped]

from search.checkpoints import TRIAL_PREFIX
from search.paths import join
from trainable.stored import CHECKPOINT_PREFIX

if TYPE_CHECKING:
    from search.config import SweepConfig

CHECKPOINTS = "ray"
"""Folder of the checkpoints, and of what Ray itself writes, where ``storage_path`` names no other place."""
logger = logging.getLogger(__name__)

_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


class Usage(NamedTuple):
    """What the checkpoints of a sweep take.

    Attributes:
        bytes:
            Size of all their files, of cut-off ones, too.
        trials:
            How many trials they belong to.
    """

    bytes: int
    trials: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return dict(self._asdict())

    def __str__(self) -> str:
        unit, size = next((unit for unit in _UNITS if self.bytes >= unit[1]), _UNITS[-1])
        return f"{self.bytes / size:.1f} {unit} of {self.trials} {'trial' if self.trials == 1 else 'trials'}"


def checkpoint_root(config: SweepConfig, run_dir: Path, key: str) -> str:
    """Path or URI of a sweep's checkpoints; on storage that sweeps share, under a name that no other sweep has.

    Args:
        config:
            The sweep.
        run_dir:
            Its folder.
        key:
            What the study was marked with when it was made.
    """
    shared = config.storage_path
    return join(shared, f"{config.name}-{key}") if shared else str(run_dir / CHECKPOINTS)


def stored_bytes(root: str) -> dict[int, int]:
    """Bytes of the checkpoints below ``root`` by the number of their trial; a sweep may be at work there.

    Raises:
        OSError: The storage cannot be listed.
    """
    filesystem, base = FileSystem.from_uri(root)
    found: dict[int, int] = defaultdict(int)
    for entry in filesystem.get_file_info(FileSelector(base, allow_not_found=True, recursive=True)):
        parts = entry.path[len(base) :].strip("/").split("/")  # session, trial, checkpoint, then its files
        if entry.type != FileType.File or len(parts) < 4:
            continue
        number = parts[1].removeprefix(TRIAL_PREFIX).partition("_")[0]  # Ray adds to a name that is there already
        if number.isdigit() and parts[2].startswith(CHECKPOINT_PREFIX):
            found[int(number)] += entry.size or 0
    return dict(found)


def checkpoint_usage(root: str) -> Usage | None:
    """What the checkpoints below ``root`` take; None where the storage cannot be listed, which a log line says."""
    try:
        found = stored_bytes(root)
    except OSError as error:
        logger.warning("%s: the checkpoints cannot be listed (%s)", root, error)
        return None
    return Usage(sum(found.values()), len(found))
