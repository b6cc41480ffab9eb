"""``hypsweep compare-splits``: how even a split is, and whether frames leak across it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data_prep.balance import Balance, balance_table, split_groups
from data_prep.errors import InputError
from data_prep.findings import Finding, Policy
from data_prep.gather import gather
from data_prep.leaks import find_leaks
from data_prep.progress import Progress, silent
from data_prep.reports import GROUPS_CSV
from data_prep.split import Records, Split
from data_prep.store import RawStore
from data_prep.targets import Target, load_target, splits_of


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the splits of a data set compare.

    Attributes:
        balance:
            Every label's share in every split.
        leaks:
            Pictures that look the same as one of another split.
        split_groups:
            Groups that stand on several sides; None where the data set has no groups.
        left_out:
            Findings about pictures or boxes that are not counted here.
    """

    balance: Balance
    leaks: tuple[Finding, ...]
    split_groups: int | None
    left_out: int

    def as_dict(self) -> dict[str, Any]:
        """Return what is shown with ``--json``."""
        return {
            "sizes": [asdict(row) for row in self.balance.sizes],
            "labels": [asdict(row) for row in self.balance.rows],
            "worst": [asdict(row) for row in self.balance.worst],
            "leaks": [{"image": leak.file, "detail": leak.detail} for leak in self.leaks],
            "split_groups": self.split_groups,
            "left_out": self.left_out,
        }


def compare_splits(path: Path, progress: Progress | None = None, distance: int | None = None) -> Comparison:
    """Compare the splits of a data set, or those that ``prepare`` would make of raw data.

    Args:
        path:
            Folder of a data set, a stock ``data.yaml``, or the configuration of ``hypsweep prepare``.
        progress:
            Told of every picture in the stages ``read`` and ``look``.
        distance:
            How much two pictures may differ and still look the same; None takes the data set's setting.

    Raises:
        InputError: It cannot be read as a whole, or cannot be split.
    """
    target = load_target(path)
    with RawStore(target.config.limits) as store:
        gathered = gather(target.config, store, progress or silent)
    splits = splits_of(target, gathered)
    config = target.config
    chosen = config.near_duplicate_distance if distance is None else distance
    leaks = find_leaks(splits, chosen, config.policies.near_duplicate)
    return Comparison(
        balance_table(splits, gathered.names, config.stratification, config.asked_shares),
        tuple(leaks),
        _count_split_groups(target, splits),
        sum(finding.policy in (Policy.DROP, Policy.FAIL) for finding in gathered.findings),
    )


def _count_split_groups(target: Target, splits: Mapping[Split, Records]) -> int | None:
    if target.folder is None or not (target.folder / GROUPS_CSV).is_file():
        return None
    path = target.folder / GROUPS_CSV
    try:
        groups = _read_groups(path)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is not as `prepare` wrote it; prepare the data set again") from error
    # Pictures that were `test` from the start are in no group, but may bear the name of one that is.
    apart = {split: records for split, records in splits.items() if split is not Split.TEST or _was_cut(target)}
    return split_groups(apart, groups)


def _was_cut(target: Target) -> bool:
    """Whether ``test`` was cut from the pool rather than given."""
    return bool(target.manifest and target.manifest.config.get("test_fraction"))


def _read_groups(path: Path) -> dict[str, int]:
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    if header != ["image", "group"]:
        raise ValueError(header)
    return {image: int(group) for image, group in rows}
