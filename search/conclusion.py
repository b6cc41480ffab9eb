"""What became of a run of a sweep: its trials closed, its results written, and SweepResult, which says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optuna.trial import TrialState

from search.assembly import Sweep
from search.budget.end import Ended, close_for_good
from search.crashes import CRASH
from search.edges import Edge, edges
from search.goals.front import front_lines
from search.results import BestTrial, SmallerBatch, best_trial, count_states, smaller_batches, write_results
from search.samplers.keys import is_paused
from search.storage import Usage, checkpoint_usage
from search.study import SweepStudy


@dataclass(frozen=True)
class SweepResult:
    """What became of a run of a sweep.

    Attributes:
        run_dir:
            The sweep's folder.
        interrupted:
            Whether it was wound down before its end; its running trials wait for a resume.
        states:
            How many trials are in which state.
        best:
            The best trial, None before the first epoch.
        path:
            The path of the trainings, ``fast`` or ``exact``, that every figure belongs to.
        smaller_batches:
            Trials that GPU memory did not let have the batch that was asked for.
        usage:
            What the sweep's checkpoints take; None where their storage cannot be listed.
        ended:
            The budget that ended the sweep before it had all its trials; None: none did.
        edges:
            Values of the best trial at the edge of their range.
        front:
            The trials of the front in words, where there are several goals.
    """

    run_dir: Path
    interrupted: bool
    states: dict[str, int]
    best: BestTrial | None
    path: str = "fast"
    smaller_batches: tuple[SmallerBatch, ...] = ()
    usage: Usage | None = None
    ended: Ended | None = None
    edges: tuple[Edge, ...] = ()
    front: tuple[str, ...] = ()

    @property
    def resume_command(self) -> str:
        """What goes on from here."""
        return f"hypsweep resume {self.run_dir}"


def conclude(sweep: Sweep, study: SweepStudy, *, interrupted: bool, ended: Ended | None = None) -> SweepResult:
    """Close what Ray lost, unless a resume will go on with it, and write the results."""
    if ended is not None and ended.final:
        close_for_good(study, ended)
    elif not interrupted and ended is None:
        for trial in study.own():
            if is_paused(trial):
                study.finish(trial.number, TrialState.PRUNED)
            else:
                study.finish(trial.number, TrialState.FAIL, reason="Ray lost the trial", kind=CRASH)
    write_results(study.study, sweep.config, sweep.space, sweep.run_dir)
    return SweepResult(
        sweep.run_dir,
        interrupted,
        count_states(study.study),
        best_trial(study.study),
        path=sweep.config.settings().path,
        smaller_batches=smaller_batches(study.study, sweep.config),
        usage=checkpoint_usage(sweep.root(study)),
        ended=ended,
        edges=edges(study.study, sweep.space),
        front=front_lines(study.study, sweep.config.objectives),
    )
