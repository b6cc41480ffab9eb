"""Confirmation: what was confirmed, as data, as JSON and as a table of trainings."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

from search import checkpoints
from search.confirm.ledger import FOLDER, JSON, Ledger
from search.confirm.plan import TRAIN
from search.confirm.ranks import RankCorrelation, rung_to_final, sweep_to_confirmed
from search.confirm.seed_ledger import AnyLedger
from search.confirm.undecided import Undecided
from search.confirm.verdict import Decision, Verdict
from search.paths import write_text
from search.samplers.keys import START

RESULTS = "results.csv"


@dataclass(frozen=True)
class Row:
    """What was confirmed of one hyp.

    Attributes:
        trial:
            Its trial in the sweep; 0 is the default.
        swept:
            Its value there.
        seeds:
            With how many seeds it was trained, lost ones included.
        mean:
            Mean of the metric over the seeds; None: there is none.
        sd:
            Standard deviation over its own seeds; None: there are fewer than two.
        gain:
            What it gains over the default; more than 0 is better whatever the metric's direction.
        lower:
            Lower end of the gain's interval.
        upper:
            Upper end.
        lost:
            With how many seeds it was lost: it diverged, or found no memory.
    """

    trial: int
    swept: float | None
    seeds: int
    mean: float | None
    sd: float | None
    gain: float | None
    lower: float | None
    upper: float | None
    lost: int


@dataclass(frozen=True)
class Confirmation:
    """What was confirmed.

    Attributes:
        run_dir:
            The sweep's folder.
        verdict:
            What is to be done.
        trial:
            The trial that wins, 0 where the default is kept; None while it is undecided.
        metric:
            What decided.
        epochs:
            Epochs of each training.
        look:
            Seeds of each hyp at the look that decided, or the last.
        smallest_gain:
            What is worth having.
        sign:
            What a value is multiplied by so that more is better.
        sd:
            Standard deviation of one training, pooled; None where nothing was compared.
        rows:
            The hyps, the default first.
        ranks:
            Rank correlations.
        failures:
            Why trainings were lost.
        next_command:
            What adds seeds; None where it is decided.
        checkpoint:
            Path or URI of the winner's checkpoint with the first seed: trained on ``train`` alone.
        checkpoints:
            The same by trial; of the winner alone, or of all while it is undecided.
    """

    run_dir: Path
    verdict: Verdict
    trial: int | None
    metric: str
    epochs: int
    look: int
    smallest_gain: float
    sd: float | None
    rows: tuple[Row, ...]
    ranks: tuple[RankCorrelation, ...]
    failures: tuple[str, ...]
    next_command: str | None
    checkpoint: str | None
    checkpoints: Mapping[int, str] = field(default_factory=dict)
    sign: float = 1.0

    def row(self, trial: int) -> Row:
        """What was confirmed of a trial."""
        return next(row for row in self.rows if row.trial == trial)

    @property
    def leader(self) -> int:
        """The trial with the best mean among those that were lost with no seed; chance may have made it."""
        means = {row.trial: self.sign * row.mean for row in self.rows if row.mean is not None and not row.lost}
        return max(means, key=lambda trial: (means[trial], trial == START), default=START)

    def settled(self, undecided: Undecided) -> Confirmation:
        """The same, with a trial to take where it is undecided."""
        if self.trial is not None or undecided == Undecided.STOP:
            return self
        trial = self.leader if undecided == Undecided.BEST else START
        return dataclasses.replace(self, trial=trial, checkpoint=self.checkpoints.get(trial))

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        ranks = [{**vars(rank), "low": rank.is_low} for rank in self.ranks]
        rest = {name: value for name, value in vars(self).items() if name not in ("rows", "ranks")}
        return {
            **rest,
            "run_dir": str(self.run_dir),
            "verdict": str(self.verdict),
            "failures": list(self.failures),
            "checkpoints": {str(trial): place for trial, place in self.checkpoints.items()},
            "rows": [vars(row) for row in self.rows],
            "ranks": ranks,
        }


def conclude(ledger: Ledger, study: optuna.Study, root: str, run_dir: Path, swept_on: str) -> Confirmation:
    """What a confirmation that is over says; written into its folder.

    Args:
        ledger:
            The confirmation.
        study:
            The sweep's study.
        root:
            Path or URI of its checkpoints.
        run_dir:
            The sweep's folder.
        swept_on:
            The split that the sweep trained on.
    """
    found, decision = confirmation(ledger, study, run_dir, swept_on), ledger.decision()
    if decision is not None:
        kept = _checkpoints(root, ledger)
        checkpoint = None if decision.trial is None else kept.get(decision.trial)
        found = dataclasses.replace(found, checkpoint=checkpoint, checkpoints=kept)
    ledger.write(result=found.as_dict())
    write_text(run_dir / FOLDER / RESULTS, trainings_table(ledger).to_csv(index=False))
    return found


def confirmation(ledger: Ledger, study: optuna.Study, run_dir: Path, swept_on: str) -> Confirmation:
    """The same without writing, and without checkpoints."""
    decision, plan = ledger.decision(), ledger.plan
    rows = tuple(_row(ledger, decision, trial) for trial in plan.trials)
    means = {row.trial: row.mean for row in rows if row.mean is not None}
    same = {trial: plan.swept[trial] for trial in means if trial in plan.swept}
    early = f"sweep on {swept_on}" if swept_on != TRAIN else "sweep (one seed)"
    ranks = (*rung_to_final(study), sweep_to_confirmed(same, means, early, f"confirmed on {TRAIN}"))
    verdict, trial, look = _outcome(ledger, decision)
    more = f"hypsweep confirm {run_dir} --max-seeds {2 * max(look, ledger.rule.most)}"
    return Confirmation(
        run_dir=run_dir,
        verdict=verdict,
        trial=trial,
        metric=plan.metric,
        epochs=plan.epochs,
        look=look,
        smallest_gain=ledger.rule.smallest_gain,
        sign=plan.sign,
        sd=None if decision is None else decision.comparison.sd,
        rows=rows,
        ranks=ranks,
        failures=_failures(ledger),
        next_command=more if verdict == Verdict.UNDECIDED else None,
        checkpoint=None,
    )


def read_confirmation(run_dir: Path, study: optuna.Study, swept_on: str) -> Confirmation | None:
    """The confirmation in a sweep's folder, as it stands; None where there is none or it is not over."""
    ledger = Ledger.read(run_dir / FOLDER / JSON)
    return None if ledger is None or not ledger.is_over() else confirmation(ledger, study, run_dir, swept_on)


def trainings_table(ledger: AnyLedger, column: str = "trial", name: Callable[[int], object] = int) -> pd.DataFrame:
    """One row per training: ``trial``, ``seed``, ``value``, ``epochs``, ``seconds``, ``failure``, ``metrics_*``.

    Args:
        ledger:
            The trainings.
        column:
            What the first column is called.
        name:
            What stands in it, by the number of the trial.
    """
    fixed = ("seed", "value", "epochs", "seconds", "failure")
    ordered = sorted(ledger.trainings, key=lambda each: (each.place, ledger.plan.trials.index(each.trial)))
    rows = [
        {column: name(each.trial)}
        | {key: getattr(each, key) for key in fixed}
        | {f"metrics_{key}": value for key, value in each.metrics.items()}
        for each in ordered
    ]
    return pd.DataFrame(rows, columns=None if rows else [column, *fixed])


def _outcome(ledger: Ledger, decision: Decision | None) -> tuple[Verdict, int | None, int]:
    if decision is not None:
        return decision.verdict, decision.trial, decision.look
    if len(ledger.plan.params) == 1:  # nothing but the default: there is nothing to compare
        return Verdict.KEEP_DEFAULT, START, 0
    return Verdict.UNDECIDED, None, 0


def _row(ledger: Ledger, decision: Decision | None, trial: int) -> Row:
    mine = [each for each in ledger.trainings if each.trial == trial]
    values = [each.value for each in mine if each.value is not None]
    gain = decision.comparison.gains.get(trial) if decision else None
    return Row(
        trial=trial,
        swept=ledger.plan.swept.get(trial),
        seeds=len(mine),
        mean=statistics.fmean(values) if values else None,
        sd=statistics.stdev(values) if len(values) > 1 else None,
        gain=gain.gain if gain else None,
        lower=gain.lower if gain else None,
        upper=gain.upper if gain else None,
        lost=len(mine) - len(values),
    )


def _failures(ledger: Ledger) -> tuple[str, ...]:
    return tuple(
        f"{'the default' if each.trial == START else f'trial {each.trial}'} was lost with seed {each.seed}: "
        f"{each.failure}"
        for each in ledger.trainings
        if each.failure is not None
    )


def _checkpoints(root: str, ledger: Ledger) -> dict[int, str]:
    """Path or URI of each hyp's checkpoint with the first seed, after its last epoch, where there is one."""
    plan, found = ledger.plan, {}
    for trial in plan.trials:
        newest = checkpoints.newest_checkpoint(root, plan.number(trial, 0), below=plan.epochs + 1)
        if newest is not None and newest.epoch == plan.epochs:
            found[trial] = newest.path
    return found
