"""``prepare``: raw data -> a data set that can be trained on. The one call behind ``hypsweep prepare``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from data_prep.balance import balance_table
from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.examine import Journal
from data_prep.export import (
    DATA_YAML,
    Workplace,
    workplace,
    write_archives,
    write_data_yamls,
    write_lists,
    write_pictures,
)
from data_prep.gather import gather, refuse_failures
from data_prep.manifest import FILES_NAME, MANIFEST_NAME, Manifest, hash_groups, hash_inputs, read_manifest, summarise
from data_prep.plan import Plan, make_plan
from data_prep.progress import Progress, silent
from data_prep.reports import (
    BALANCE_CSV,
    FINDINGS_CSV,
    GROUPS_CSV,
    balance_csv,
    count_findings,
    findings_csv,
    groups_csv,
    hash_lines,
)
from data_prep.store import RawStore


def prepare(config: PrepareConfig, out: Path, progress: Progress | None = None) -> Path:
    """Read raw data, check it, split it and write a YOLO data set with a manifest.

    A data set that already lies in ``out`` is returned as it is when its manifest says that it was made from
    the same raw data with the same configuration. A run that was cut off goes on where it was.

    Args:
        config:
            What to read, what to do about findings and how to split.
        out:
            Folder of the data set; must be absent or empty, or hold that very data set.
        progress:
            Told of every picture in the stages ``read``, ``look``, ``write`` and ``pack``.

    Returns:
        The ``data.yaml``, absolute.

    Raises:
        InputError: The raw data or the configuration is wrong, a finding's policy is ``fail``, or ``out`` holds
            something else; nothing is written.
        WorkFailedError: The disk failed; run again to go on.

    Example:
        >>> from data_prep.config import load_prepare_config
        >>> prepare(load_prepare_config(Path("configs/data/synthetic.yaml")), Path("herd"))  # doctest: +SKIP
    """
    out, report = out.resolve(), progress or silent
    _require_outside(config, out)
    existing = _existing(out)
    with RawStore(config.limits) as store:
        if existing is not None:
            _require_same(out, existing, _planned(config, _decide(config, store, report, None)))
            return out / DATA_YAML
        with workplace(out) as place:
            with Journal(place.journal, config.limits.model_dump_json()) as journal:
                plan = _decide(config, store, report, journal)
            _write(config, plan, _planned(config, plan), place, store, report)
    return out / DATA_YAML


def _decide(config: PrepareConfig, store: RawStore, progress: Progress, journal: Journal | None) -> Plan:
    """Do all that comes before the first byte of the data set is written."""
    gathered = gather(config, store, progress, journal)
    refuse_failures(gathered.findings)
    plan = make_plan(config, gathered)
    refuse_failures(plan.findings)
    return plan


def _require_same(out: Path, existing: Manifest, planned: Manifest) -> None:
    """Refuse a folder that holds another data set, or not all of this one."""
    if not existing.same_origin(planned):
        raise InputError(f"{out} holds another data set; choose another output folder or delete that one")
    _check_complete(out, existing)


def _require_outside(config: PrepareConfig, out: Path) -> None:
    """Refuse a target among the raw pictures: the next run would take it for raw data."""
    for part in (config.source, config.test_source, config.background):
        images = getattr(part, "images", None)
        for place in images.values() if isinstance(images, dict) else (images,):
            if place is not None and out.is_relative_to(place):
                raise InputError(f"{out} lies in {place}, where the raw pictures are; choose another output folder")


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


def _planned(config: PrepareConfig, plan: Plan) -> Manifest:
    records = [record for members in plan.splits.values() for record in members]
    return Manifest(
        names=plan.names,
        seed=config.seed,
        config={key: _without_paths(value) for key, value in config.model_dump().items()},
        inputs_sha256=hash_inputs(set(records)),
        findings=count_findings(plan.findings),
        groups=len(set(plan.groups.values())),
        groups_sha256=hash_groups(plan.groups),
        splits={name.value: summarise(members, plan.names) for name, members in plan.splits.items()},
        folds=tuple(map(len, plan.folds)),
    )


def _without_paths(value: object) -> object:
    """Leave out where things lie: it differs between machines and does not change the data set."""
    if isinstance(value, dict):
        return {key: _without_paths(inner) for key, inner in value.items() if not isinstance(inner, Path)}
    if isinstance(value, (list, tuple)):
        return [_without_paths(inner) for inner in value if not isinstance(inner, Path)]
    return value


def _write(
    config: PrepareConfig, plan: Plan, manifest: Manifest, place: Workplace, store: RawStore, progress: Progress
) -> None:
    folder = place.draft(manifest.origin)
    hashes = write_pictures(plan.splits, folder, store, config.link, progress)
    if config.archives:
        hashes |= write_archives(folder, plan.splits, progress)
    listed = write_lists(folder, plan.splits, plan.folds)
    listed += _write_tables(config, plan, folder)
    hashes |= {name: _sha256((folder / name).read_bytes()) for name in listed}
    write_data_yamls(folder, place.out, plan.names, plan.splits, len(plan.folds))
    lines = hash_lines(hashes).encode()
    (folder / FILES_NAME).write_bytes(lines)
    whole = manifest.model_copy(update={"files_sha256": _sha256(lines)})
    (folder / MANIFEST_NAME).write_bytes(whole.to_bytes())
    place.publish()


def _write_tables(config: PrepareConfig, plan: Plan, folder: Path) -> list[str]:
    """Write the reports; returns their names."""
    tables = {FINDINGS_CSV: findings_csv(plan.findings)}
    tables[BALANCE_CSV] = balance_csv(
        balance_table(plan.splits, plan.names, config.stratification, config.asked_shares)
    )
    if config.groups:
        tables[GROUPS_CSV] = groups_csv(plan.groups)
    for name, text in tables.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(tables)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
