"""Whether data is what it was: names, sizes and times of its files, without reading one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep.config import PrepareConfig
from data_prep.dataset import DatasetYaml, label_path, read_data_yaml
from data_prep.errors import HypsweepError
from data_prep.manifest import MANIFEST_NAME
from search.flow.book import digest_of
from search.identity import fingerprint

_YAML = (".yaml", ".yml")


def raw_digest(config: PrepareConfig) -> str:
    """Digest of all files that a preparation may read.

    A file that is written anew with the same size counts as changed by its time, as for ``make``.
    """
    return _digest(file for path in set(_paths(config.model_dump())) for file in _files(path))


def data_digest(data: Path) -> str:
    """Digest of a data set: of its manifest where it has one, else of its ``data.yaml``, pictures and labels.

    Raises:
        OSError: The ``data.yaml`` cannot be read.
    """
    if data.with_name(MANIFEST_NAME).is_file():
        return fingerprint(data)
    return digest_of([fingerprint(data), _digest(_files(data))])


def _digest(files: Iterator[Path]) -> str:
    return digest_of(sorted({_stamp(file) for file in files}))


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
    """The file, or all below the folder; of a ``data.yaml`` the pictures and labels of its splits, too."""
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
        return
    yield path
    if path.suffix.lower() in _YAML:
        try:
            described = read_data_yaml(path)
        except HypsweepError:  # no data.yaml, or a wrong one, which the step will say
            return
        for split in described.splits:
            for image in _images(described, split):
                yield from (image, label_path(image))


def _images(described: DatasetYaml, split: str) -> list[Path]:
    try:
        return described.images(split)
    except HypsweepError:  # a folder that is gone
        return []


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:  # gone meanwhile, or never there: a picture without a label
        return (str(file), -1, -1)
    return (str(file), found.st_size, found.st_mtime_ns)
