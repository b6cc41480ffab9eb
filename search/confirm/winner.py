"""The trial that a confirmation lets be promoted, and how it is said."""

from __future__ import annotations

import optuna
from optuna.trial import TrialState

from data_prep.errors import WorkFailedError
from search.best import BestTrial, chosen_trial
from search.config import SweepConfig
from search.confirm.result import Confirmation
from search.confirm.verdict import Verdict
from search.samplers.keys import START


def confirmed_trial(found: Confirmation, config: SweepConfig, study: optuna.Study) -> BestTrial:
    """The trial that wins.

    Raises:
        WorkFailedError: It is undecided.
    """
    if found.trial is None:
        raise WorkFailedError(
            f"{found.run_dir}: after {found.look} seeds it is undecided whether a trial beats the default hyp: "
            f"add seeds with `{found.next_command}`, or choose with `hypsweep promote {found.run_dir} --trial N` "
            "(0 is the default) or `--undecided best`."
        )
    trial, row = study.get_trials(deepcopy=False)[found.trial], found.row(found.trial)
    if trial.state == TrialState.FAIL and row.mean is not None:  # the default, which had no luck in the sweep
        return BestTrial(trial, row.mean, found.epochs, row.mean)
    return chosen_trial(config, study, found.run_dir, found.trial)


def confirmed_line(found: Confirmation | None) -> str:
    """On what a promotion rests, in one line."""
    if found is None or found.trial is None:
        return "Not confirmed: it was chosen by single trainings."
    row = found.row(found.trial)
    if found.verdict == Verdict.UNDECIDED:
        taken = "the default hyp was taken" if found.trial == START else f"trial {found.trial} was taken for its mean"
        return f"Undecided after {found.look} seeds whether a hyp beats the default: {taken}."
    if found.verdict == Verdict.KEEP_DEFAULT:
        return f"The default hyp is kept: over {found.look} seeds no candidate is better by {found.smallest_gain:g}."
    gain = "" if row.gain is None else f"{row.gain:+.4g} {found.metric}, at least {row.lower:+.4g}, "
    return f"Confirmed: better than the default hyp ({gain}over {found.look} seeds and {found.epochs} epochs)."
