"""What ``check``, ``eda`` and ``compare-splits`` are pointed at: a data set, its ``data.yaml``, or raw data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from data_prep.config import PrepareConfig, load_prepare_config
from data_prep.errors import InputError
from data_prep.export import DATA_YAML
from data_prep.files import read_yaml_mapping
from data_prep.gather import Gathered
from data_prep.manifest import Manifest, read_manifest
from data_prep.plan import make_plan
from data_prep.readers import YoloReader
from data_prep.split import FOLDER_OF_KEY, Records, Split

#: Settings of a prepared data set that matter for looking at it, kept in its manifest.
KEPT_SETTINGS = (
    "stratify", "count_bins", "default_count_bins", "ratio_threshold", "size_thresholds", "near_duplicate_distance",
    "limits",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """Something with pictures and boxes.

    Attributes:
        path:
            What the user named, absolute.
        config:
            How it is read and looked at.
        folder:
            Folder of the data set; None for raw data.
        manifest:
            Of a prepared data set; None for others.
    """

    path: Path
    config: PrepareConfig
    folder: Path | None = None
    manifest: Manifest | None = None

    @property
    def title(self) -> str:
        """Its name for headings."""
        return self.path.stem if self.folder is None or self.path.stem != "data" else self.folder.name


def load_target(path: Path) -> Target:
    """Tell what a path is and how it is read.

    Args:
        path:
            Folder of a data set, a stock ``data.yaml``, or the configuration of ``hypsweep prepare``.

    Raises:
        InputError: It is none of these.
    """
    file = path.absolute()
    if file.is_dir():
        file /= DATA_YAML
        if not file.is_file():
            raise InputError(f"{path} has no {DATA_YAML}; name a data set, a data.yaml or a configuration of prepare")
    if "source" in read_yaml_mapping(file):
        return Target(file, load_prepare_config(file))
    manifest = read_manifest(file.parent)
    settings = {key: manifest.config[key] for key in KEPT_SETTINGS if key in manifest.config} if manifest else {}
    source = YoloReader(data=file)
    try:
        config = PrepareConfig.model_validate({**settings, "source": source, "keep_splits": True})
    except ValidationError:  # the manifest of another version
        config = PrepareConfig(source=source, keep_splits=True)
    return Target(file, config, file.parent, manifest)


def splits_of(target: Target, gathered: Gathered) -> dict[Split, Records]:
    """Return the splits of a data set that has its own, or those that ``prepare`` would make of raw data.

    Raises:
        InputError: The settings do not fit the data.
    """
    if target.folder is None:
        return dict(make_plan(target.config, gathered).splits)
    everything = (*gathered.pool, *gathered.tests)
    found = {
        split: tuple(sorted((r for r in everything if r.source_split == key), key=lambda record: record.key))
        for key, split in FOLDER_OF_KEY.items()
    }
    return {split: records for split, records in found.items() if records}
