"""From checked records to splits: all that is decided before the first byte is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data_prep.config import PrepareConfig
from data_prep.errors import InputError
from data_prep.findings import Finding, Policy
from data_prep.gather import Gathered
from data_prep.groups import NearDuplicates, group_records
from data_prep.leaks import find_leaks, near_clusters
from data_prep.records import ImageRecord
from data_prep.split import Records, Split, folds, keep, split
from data_prep.text import printable


@dataclass(frozen=True, slots=True)
class Plan:
    """Which picture goes where.

    Attributes:
        names:
            Class names; class ids index them.
        splits:
            Pictures per split, sorted by key.
        folds:
            The parts of ``full`` on which the trainings of a cross-validation are judged.
        groups:
            Group of every picture but those that were ``test`` from the start, by key.
        findings:
            All that was found, pictures that look the same across splits included.
    """

    names: tuple[str, ...]
    splits: Mapping[Split, Records]
    folds: tuple[Records, ...]
    groups: Mapping[str, int]
    findings: tuple[Finding, ...]


def make_plan(config: PrepareConfig, gathered: Gathered) -> Plan:
    """Group and split checked records.

    Args:
        config:
            Shares, labels, groups and seed.
        gathered:
            What was read and checked.

    Raises:
        InputError: The settings do not fit the data.
    """
    _check_names(config, gathered.names)
    if config.test_fraction and gathered.tests:
        raise InputError("`test_fraction` is set but there are test pictures already; remove `test_fraction`")
    pool = gathered.pool
    if not pool:
        raise InputError("there is no picture to train on; `hypsweep check` says what was left out")
    groups = _group(config, gathered)
    divide = keep if config.keep_splits else split
    found = dict(divide(pool, config.fractions, config.seed, config.stratification, gathered.names, groups))
    if gathered.tests:
        found[Split.TEST] = tuple(sorted(gathered.tests, key=lambda record: record.key))
    leaks = find_leaks(found, config.near_duplicate_distance, config.policies.near_duplicate)
    findings = (*gathered.findings, *leaks)
    found = _without(found, {leak.image for leak in leaks if leak.policy is Policy.DROP})
    if not (found[Split.TRAIN] and found[Split.MINI_TRAIN]):
        message = "`policies.near_duplicate: drop` leaves no picture in"
        raise InputError(f"{message} {Split.MINI_TRAIN if found[Split.TRAIN] else Split.TRAIN}; set it to `keep`")
    group_of = {record.key: group for record, group in zip(pool, groups, strict=True)}
    return Plan(gathered.names, found, _folds(config, found[Split.FULL], gathered.names, group_of), group_of, findings)


def _folds(
    config: PrepareConfig, full: Records, names: tuple[str, ...], group_of: Mapping[str, int]
) -> tuple[Records, ...]:
    if not config.folds:
        return ()
    groups = [group_of[record.key] for record in full]
    return tuple(folds(full, config.folds, config.seed, config.stratification, names, groups))


def _check_names(config: PrepareConfig, names: tuple[str, ...]) -> None:
    for name in config.count_bins:
        if name not in names:
            known = list(names)
            raise InputError(f"`count_bins` names the class `{printable(name)}`; the data has {known}: correct it")


def _group(config: PrepareConfig, gathered: Gathered) -> list[int]:
    """Group the pool; exact duplicates stay on one side, whatever is configured."""
    pool = gathered.pool
    together = [_same_bytes(pool)]
    together += [
        near_clusters(pool, relation.distance) for relation in config.groups if isinstance(relation, NearDuplicates)
    ]
    # A table of groups may well name pictures that a policy left out, and those of test.
    elsewhere = {finding.image for finding in gathered.findings} | {record.key for record in gathered.tests}
    return group_records(pool, config.groups, together, elsewhere)


def _same_bytes(pool: Records) -> list[int]:
    first: dict[str, int] = {}
    return [first.setdefault(record.sha256, index) if record.sha256 else index for index, record in enumerate(pool)]


def _without(splits: dict[Split, Records], keys: set[str]) -> dict[Split, Records]:
    """Take pictures out of everything that is trained on; ``valid`` and ``test`` stay."""

    def stays(name: Split, record: ImageRecord) -> bool:
        return name in (Split.VALID, Split.TEST) or record.key not in keys

    return {name: tuple(record for record in members if stays(name, record)) for name, members in splits.items()}
