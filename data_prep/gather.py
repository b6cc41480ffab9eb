"""Raw data to checked records: read labels, look at pictures, apply the policies."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from data_prep.checks import check_images, drop_duplicates
from data_prep.config import Background, PrepareConfig
from data_prep.errors import InputError
from data_prep.examine import Journal, examine_images
from data_prep.findings import Finding, Kind, Policy
from data_prep.progress import Progress
from data_prep.readers import ImagesReader, Reader
from data_prep.records import ImageRecord, Source
from data_prep.store import RawStore

Records = tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Checked records of all sources of a configuration.

    Attributes:
        names:
            Class names; class ids index them.
        pool:
            Pictures for training and validation, keys unique.
        tests:
            Pictures that no option can mix into training, keys unique among themselves.
        findings:
            All that was found, with what was done about it.
    """

    names: tuple[str, ...]
    pool: Records
    tests: Records
    findings: tuple[Finding, ...]


def gather(config: PrepareConfig, store: RawStore, progress: Progress, journal: Journal | None = None) -> Gathered:
    """Read and check everything that a configuration names; nothing is written.

    Args:
        config:
            What to read, and the policies.
        store:
            Reads the bytes.
        progress:
            Told of every picture in the stages ``read`` and ``look``.
        journal:
            Spares pictures that were looked at before.

    Raises:
        InputError: A source as a whole cannot be read, or two sources do not go together.
    """
    names, records, findings = _checked(config.source, config, store, progress, journal)
    if config.test_source is not None:
        test_names, tests, test_findings = _checked(config.test_source, config, store, progress, journal)
        if test_names != names:
            message = f"`test_source` has the classes {list(test_names)} but `source` has {list(names)}"
            raise InputError(f"{message}; make them agree")
        records += [replace(record, source_split="test") for record in tests]
        findings += test_findings
    if config.background is not None:
        added, its_findings = _background(config.background, config, records, store, progress, journal)
        records += added
        findings += its_findings
    checked = drop_duplicates(records, config.policies)
    pool = tuple(record for record in checked.records if record.source_split != "test")
    tests_kept = tuple(record for record in checked.records if record.source_split == "test")
    for group in (pool, tests_kept):
        _require_unique(group)
    return Gathered(names, pool, tests_kept, (*findings, *checked.findings))


def refuse_failures(findings: Sequence[Finding]) -> None:
    """Refuse data with findings whose policy is ``fail``.

    Raises:
        InputError: Names the first and how many there are of each kind.
    """
    failures = [finding for finding in findings if finding.policy is Policy.FAIL]
    if failures:
        counts = Counter(finding.kind.value for finding in failures)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        first = failures[0]
        command = "compare-splits" if first.kind is Kind.NEAR_DUPLICATE else "check"
        raise InputError(
            f"the data has findings that must be dealt with first ({listed}), such as {first.file}: {first.detail}; "
            f"mend the data or set `policies.{first.kind}: drop`; `hypsweep {command}` lists all"
        )


def _checked(
    reader: Reader, config: PrepareConfig, store: RawStore, progress: Progress, journal: Journal | None
) -> tuple[tuple[str, ...], list[ImageRecord], list[Finding]]:
    raw = reader.read(store, progress)
    seen = examine_images(raw.images, store, progress, journal)
    checked = check_images(raw, seen, config.policies, reader.usual)
    return raw.names, list(checked.records), list(checked.findings)


def _background(
    background: Background,
    config: PrepareConfig,
    records: Sequence[ImageRecord],
    store: RawStore,
    progress: Progress,
    journal: Journal | None,
) -> tuple[list[ImageRecord], list[Finding]]:
    """Choose as many empty pictures as give the share that was asked for, those counted that are there already."""
    _, offered, findings = _checked(ImagesReader(images=background.images), config, store, progress, journal)
    pool = [record for record in records if record.source_split != "test"]
    empty = sum(not record.boxes for record in pool)
    wanted = round(background.share / (1 - background.share) * (len(pool) - empty)) - empty
    if wanted > len(offered):
        reachable = math.floor(1000 * (empty + len(offered)) / (len(pool) + len(offered))) / 1000
        raise InputError(
            f"{Source(background.images)} has {len(offered)} pictures but a share of {background.share} takes "
            f"{wanted}; add pictures or set `background.share` to at most {reachable:.3f}"
        )
    chosen = random.Random(config.seed).sample(offered, max(wanted, 0))
    taken = {record.key.casefold() for record in pool}
    # They come from elsewhere, so their names may be taken; own splits stay as they are, but for train.
    split = "train" if config.keep_splits else None
    renamed = [
        replace(record, key=free_key(record.key, taken, "background"), source_split=split)
        for record in sorted(chosen, key=lambda record: record.key)
    ]
    return renamed, findings


def free_key(key: str, taken: set[str], prefix: str) -> str:
    """Return a key that no other picture has: its own, else with ``prefix`` in front, and add it to ``taken``."""
    free, number = key, 0
    while free.casefold() in taken:
        number += 1
        free = f"{prefix}_{key}" if number == 1 else f"{prefix}_{key}_{number}"
    taken.add(free.casefold())
    return free


def _require_unique(records: Sequence[ImageRecord]) -> None:
    counts = Counter(record.key.casefold() for record in records)
    for record in records:
        if counts[record.key.casefold()] > 1:
            place = record.source or record.key
            raise InputError(f"{place}: another picture is called `{record.key}`, too; rename one of them")
