"""Tar archives of the splits under the names that the livestock competition used."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path

from data_prep.export.pictures import Hashes
from data_prep.progress import Progress
from data_prep.split import Records, Split

#: Archive to the split that it holds; the mini set is judged on the whole valid set.
ARCHIVES: Mapping[str, Split] = {
    "Train_Dataset.tar": Split.TRAIN,
    "Valid_Dataset.tar": Split.VALID,
    "Train_Dataset_mini.tar": Split.MINI_TRAIN,
    "Valid_Dataset_mini.tar": Split.VALID,
    "Train_Dataset_Full.tar": Split.FULL,
    "Test_Dataset.tar": Split.TEST,
}
_FOLDER = "archives"
_CHUNK = 2**20


def write_archives(folder: Path, splits: Mapping[Split, Records], progress: Progress) -> Hashes:
    """Write ``archives/*.tar``, each with ``images/`` and ``labels/`` of one split.

    The bytes depend on names and contents alone: no dates, no owners.

    Args:
        folder:
            The data set, with its pictures and labels written. An archive that lies there already stays.
        splits:
            Pictures per split.
        progress:
            Told of every archive as stage ``pack``.

    Returns:
        The hash of every archive.
    """
    wanted = {name: split for name, split in ARCHIVES.items() if split in splits}
    (folder / _FOLDER).mkdir(exist_ok=True)
    hashes: Hashes = {}
    for done, (name, split) in enumerate(wanted.items(), start=1):
        path = folder / _FOLDER / name
        if not path.exists():
            draft = path.with_suffix(".draft")
            _pack(draft, folder, split, splits[split])
            draft.rename(path)
        hashes[f"{_FOLDER}/{name}"] = _hash(path)
        progress("pack", done, len(wanted))
    return hashes


def _pack(path: Path, folder: Path, split: Split, records: Records) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for record in records:
            for kind, name in (("images", record.file_name), ("labels", f"{record.key}.txt")):
                with (folder / kind / split / name).open("rb") as content:
                    entry = tarfile.TarInfo(f"{kind}/{name}")
                    entry.size = content.seek(0, 2)
                    content.seek(0)
                    archive.addfile(entry, content)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
