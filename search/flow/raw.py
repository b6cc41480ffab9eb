"""Whether raw data is what it was: names, sizes and times of its files, without reading one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep.config import PrepareConfig
from data_prep.dataset import read_data_yaml
from data_prep.errors import HypsweepError
from search.flow.book import digest_of


def raw_digest(config: PrepareConfig) -> str:
    """Digest of all files that a preparation may read.

    A file that is written anew with the same size counts as changed by its time, as for ``make``.
    """
    listed = [_stamp(file) for path in sorted(set(_paths(config.model_dump()))) for file in _files(path)]
    return digest_of(sorted(set(listed)))


def _paths(value: Any) -> Iterator[Path]:  # noqa: ANN401  # nested mappings and lists
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)


def _files(path: Path) -> Iterator[Path]:
    """The file, or all below the folder; of a ``data.yaml`` what lies in its folder and in those that it names, too."""
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
        return
    yield path
    if path.suffix.lower() in (".yaml", ".yml"):
        yield from _files(path.parent)
        for entry in _entries(path):
            yield from _files(entry) if entry.suffix.lower() not in (".yaml", ".yml") else ()


def _entries(path: Path) -> list[Path]:
    try:
        described = read_data_yaml(path)
    except HypsweepError:  # no data.yaml, or a wrong one, which the preparation will say
        return []
    return [entry for entries in described.splits.values() for entry in entries]


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:  # gone meanwhile, or never there
        return (str(file), -1, -1)
    return (str(file), found.st_size, found.st_mtime_ns)
