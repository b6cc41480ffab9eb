"""ComparisonResult: what was compared, as data, as JSON and as a table of trainings."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.compare.ledger import ComparisonLedger
from search.compare.standing import ArmStanding, Standing
from search.confirm.seed_ledger import Training
from search.results import QUALITY
from search.samplers.keys import START


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """What was found of one arm.

    Attributes:
        arm:
            Its name.
        sets:
            Hyps and settings that it sets, tuned ones included.
        megabytes:
            Size of its stripped weights in 10^6 bytes.
        seeds:
            With how many seeds it was trained, lost ones included; 0 for one that is too large.
        mean:
            Mean of the metric; None: there is none.
        sd:
            Standard deviation over its own seeds; None: there are fewer than two.
        seconds:
            Median time of a training.
        quality:
            Means of the usual metrics, by name.
        standing:
            How it stands beside the reference; None for the reference, and for one that is too large.
        gain:
            What it gains over the reference over the same seeds; more than 0 is better whatever the metric's direction.
        lower, upper:
            Ends of the gain's interval.
        lost:
            With how many seeds it was lost.
    """

    arm: str
    sets: Mapping[str, Any]
    megabytes: float
    seeds: int = 0
    mean: float | None = None
    sd: float | None = None
    seconds: float | None = None
    quality: Mapping[str, float]
    standing: Standing | None = None
    gain: float | None = None
    lower: float | None = None
    upper: float | None = None
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    """What was compared.

    Attributes:
        run_dir:
            The comparison's folder.
        name:
            Its name.
        metric:
            What decides, and more or less of which (``mode``) is better.
        mode:
            ``max`` or ``min``.
        epochs:
            Epochs of each training.
        smallest_gain:
            Difference that matters.
        max_megabytes:
            Largest weights that are allowed, in 10^6 bytes.
        sd:
            Standard deviation of one training, pooled; None where nothing was compared.
        rows:
            The arms, the reference first, those that are too large last.
        failures:
            Why trainings were lost.
        next_command:
            What adds seeds; None where all is decided.
    """

    run_dir: Path
    name: str
    metric: str
    mode: str
    epochs: int
    smallest_gain: float
    max_megabytes: float
    sd: float | None
    rows: tuple[ArmRow, ...]
    failures: tuple[str, ...]
    next_command: str | None

    @property
    def reference(self) -> ArmRow:
        """What the others are compared with."""
        return self.rows[0]

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        rows = [{**vars(row), "sets": dict(row.sets), "quality": dict(row.quality)} for row in self.rows]
        return {**vars(self), "run_dir": str(self.run_dir), "rows": rows, "failures": list(self.failures)}


def arm_rows(ledger: ComparisonLedger, megabytes: Mapping[str, float]) -> tuple[ArmRow, ...]:
    """A row for each arm of a comparison.

    Args:
        ledger:
            The comparison.
        megabytes:
            Size of the weights by arm.
    """
    decision = ledger.decision()
    standings = decision.arms if decision is not None else {}
    return tuple(_row(ledger, trial, standings.get(trial), megabytes) for trial in ledger.plan.trials)


def _row(ledger: ComparisonLedger, trial: int, found: ArmStanding | None, megabytes: Mapping[str, float]) -> ArmRow:
    arm = ledger.plan.arm(trial)
    mine = [each for each in ledger.trainings if each.trial == trial]
    good = [each for each in mine if each.value is not None]
    values = [each.value for each in good if each.value is not None]
    gain = found.gain if found else None
    return ArmRow(
        arm=arm.name,
        sets=arm.sets,
        megabytes=megabytes[arm.name],
        seeds=len(mine),
        mean=statistics.fmean(values) if values else None,
        sd=statistics.stdev(values) if len(values) > 1 else None,
        seconds=statistics.median(each.seconds for each in good) if good else None,
        quality=_quality(good),
        standing=None if trial == START else found.standing if found else Standing.UNDECIDED,
        gain=gain.gain if gain else None,
        lower=gain.lower if gain else None,
        upper=gain.upper if gain else None,
        lost=len(mine) - len(good),
    )


def _quality(trainings: Sequence[Training]) -> dict[str, float]:
    names = [name for name in QUALITY if trainings and all(name in each.metrics for each in trainings)]
    return {name: statistics.fmean(each.metrics[name] for each in trainings) for name in names}


def failures(ledger: ComparisonLedger) -> tuple[str, ...]:
    """Why trainings were lost."""
    lost = [each for each in ledger.trainings if each.failure is not None]
    return tuple(f"{ledger.plan.name(each.trial)} was lost with seed {each.seed}: {each.failure}" for each in lost)
