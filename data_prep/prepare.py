"""``prepare``: raw data -> a data set that can be trained on. The one call behind ``hypsweep prepare``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.export import DATA_YAML, staging, write_data_yaml, write_splits
from data_prep.geometry import Repairs, clip_records
from data_prep.labels import BinsByClass
from data_prep.manifest import MANIFEST_NAME, Manifest, hash_inputs, read_manifest, summarise
from data_prep.progress import Progress, silent
from data_prep.records import ImageRecord, RawDataset
from data_prep.split import Records, Split, keep, split
from data_prep.store import RawStore


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that is known before the first byte is written."""

    names: tuple[str, ...]
    splits: dict[Split, Records]
    manifest: Manifest  # its splits are still empty


def prepare(config: PrepareConfig, out: Path, progress: Progress | None = None) -> Path:
    """Read raw data, split it and write a YOLO data set with a manifest.

    A data set that already lies in ``out`` is returned as it is when its manifest says that it was made from
    the same raw data with the same configuration.

    Args:
        config:
            What to read and how to split it.
        out:
            Folder of the data set; must be absent or empty, or hold that very data set.
        progress:
            Told of every picture in the stages ``read``, ``hash`` and ``write``.

    Returns:
        The ``data.yaml``, absolute.

    Raises:
        InputError: The raw data or the configuration is wrong, or ``out`` holds something else; nothing is
            written.
        WorkFailedError: The disk failed; nothing is left behind.

    Example:
        >>> from data_prep.config import load_prepare_config
        >>> prepare(load_prepare_config(Path("configs/data/synthetic.yaml")), Path("datasets/herd"))  #
        doctest: +SKIP
    """
    out, report = out.absolute(), progress or silent
    existing = _existing(out)
    with RawStore() as store:
        plan = _plan(config, store, report)
        if existing is None:
            _write(plan, out, store, report)
        elif not existing.same_origin(plan.manifest):
            raise InputError(f"{out} holds another data set; choose another output folder or delete that one")
        else:
            _check_complete(out, existing)
    return out / DATA_YAML


def _existing(out: Path) -> Manifest | None:
    found = read_manifest(out)
    if found is None and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise InputError(f"{out} is not empty and holds no prepared data set; choose another output folder")
    return found


def _check_complete(out: Path, manifest: Manifest) -> None:
    """Refuse a data set from which files were taken; the counts tell without reading pictures."""
    for name, summary in manifest.splits.items():
        for kind, pattern in (("images", "*"), ("labels", "*.txt")):
            if sum(1 for _ in (out / kind / name).glob(pattern)) != summary.images:
                raise InputError(f"{out / kind / name} is not as its manifest says; delete {out} and prepare again")
    if not (out / DATA_YAML).is_file():
        raise InputError(f"{out / DATA_YAML} is missing; delete {out} and prepare again")


def _plan(config: PrepareConfig, store: RawStore, progress: Progress) -> _Plan:
    raw = config.source.read(store, progress)
    # Test pictures are kept apart from the first step on: no option can mix them into training.
    tests = [record for record in raw.records if record.source_split == "test"]
    others = [record for record in raw.records if record.source_split != "test"]
    tests += _test_records(config, raw, store, progress)
    _require_unique(tests)
    _require_unique(others)
    origin = hash_inputs([*others, *tests], store, progress)
    pool, repairs = clip_records(others)
    test, test_repairs = clip_records(tests)
    divide = keep if config.keep_splits else split
    splits = divide(pool, config.fractions, config.seed, _bins(config, raw.names))
    if test:
        splits[Split.TEST] = tuple(sorted(test, key=lambda record: record.key))
    both = Repairs(repairs.clipped + test_repairs.clipped, repairs.dropped + test_repairs.dropped)
    return _Plan(raw.names, splits, _origin(config, raw.names, origin, both))


def _test_records(config: PrepareConfig, raw: RawDataset, store: RawStore, progress: Progress) -> list[ImageRecord]:
    if config.test_source is None:
        return []
    test = config.test_source.read(store, progress)
    if test.names != raw.names:
        message = f"`test_source` has the classes {test.names} but `source` has {raw.names}; make them agree"
        raise InputError(message)
    return [replace(record, source_split="test") for record in test.records]


def _require_unique(records: Sequence[ImageRecord]) -> None:
    counts = Counter(record.key for record in records)
    for record in records:
        if counts[record.key] > 1:
            raise InputError(f"{record.source}: another picture is called `{record.key}`, too; rename one of them")


def _bins(config: PrepareConfig, names: Sequence[str]) -> BinsByClass:
    for name in config.count_bins:
        if name not in names:
            raise InputError(f"`count_bins` names the class `{name}`; the data has {list(names)}: correct it")
    return {index: config.count_bins.get(name, config.default_count_bins) for index, name in enumerate(names)}


def _origin(config: PrepareConfig, names: tuple[str, ...], inputs: str, repairs: Repairs) -> Manifest:
    return Manifest(
        names=names,
        seed=config.seed,
        config=_without_paths(config.model_dump()),
        inputs_sha256=inputs,
        repairs=asdict(repairs),
        splits={},
    )


def _without_paths(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out where things lie: it differs between machines and does not change the data set."""
    return {
        key: _without_paths(inner) if isinstance(inner, dict) else inner
        for key, inner in value.items()
        if not isinstance(inner, Path)
    }


def _write(plan: _Plan, out: Path, store: RawStore, progress: Progress) -> None:
    with staging(out) as folder:
        hashes = write_splits(plan.splits, folder, store, progress)
        summaries = {name.value: summarise(records, plan.names, hashes[name]) for name, records in plan.splits.items()}
        manifest = plan.manifest.model_copy(update={"splits": summaries})
        write_data_yaml(folder, out, plan.names, plan.splits)
        (folder / MANIFEST_NAME).write_bytes(manifest.to_bytes())
