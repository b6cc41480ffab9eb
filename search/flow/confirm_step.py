"""The step ``confirm``, and what the steps after it take from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from data_prep.errors import WorkFailedError
from search.confirm.ledger import FOLDER, JSON, Ledger
from search.confirm.plan import ConfirmPlan, make_plan
from search.confirm.result import Confirmation
from search.confirm.run import confirm
from search.confirm.undecided import Undecided
from search.confirm.verdict import Rule, Verdict
from search.flow.book import digest_of
from search.flow.step import Made, Place, given
from search.results import read_run
from search.space import load_space


def confirm_inputs(place: Place) -> Mapping[str, Any]:
    """The candidates, and what is asked of them, defaults filled in."""
    plan, rule = _plan(place), given(place.config.confirm).options().rule(Rule())
    return {
        "candidates": digest_of(plan.params),
        "metric": plan.metric,
        "epochs": plan.epochs,
        "seeds": rule.step,
        "max_seeds": rule.most,
        "smallest_gain": rule.smallest_gain,
    }


def run(place: Place) -> Made:
    """Confirm; begin anew where what is there compares something else."""
    asked = given(place.config.confirm)
    found = confirm(place.sweep, asked.options(anew=_is_other(place)), place.watch.options)
    if found.verdict == Verdict.UNDECIDED and asked.undecided == Undecided.STOP:
        raise WorkFailedError(
            f"{found.look} seeds do not decide whether a hyp of the sweep beats the default: raise confirm.max_seeds, "
            "or set confirm.undecided to `default` or `best` to train one all the same"
        )
    rows = [{name: getattr(row, name) for name in ("trial", "mean", "gain", "lower", "upper")} for row in found.rows]
    about = {"verdict": str(found.verdict), "trial": found.trial, "metric": found.metric, "seeds": found.look}
    return Made((place.sweep / FOLDER / JSON,), {**about, "rows": rows})


def confirmed_inputs(place: Place) -> str:
    """Digest of what was confirmed: not of what a later look at it may say otherwise, such as the next command."""
    found = json.loads((place.sweep / FOLDER / JSON).read_text(encoding="utf-8"))["result"]
    kept = ("verdict", "trial", "metric", "epochs", "look", "rows", "checkpoint", "checkpoints")
    return digest_of({name: found.get(name) for name in kept})


def confirmed(place: Place) -> Confirmation:
    """What was confirmed, with the hyp that is taken where it is undecided."""
    asked = given(place.config.confirm)
    return confirm(place.sweep, asked.options(), place.watch.options).settled(asked.undecided)


def _plan(place: Place) -> ConfirmPlan:
    config, study = read_run(place.sweep)
    return make_plan(config, study, load_space(config.space), place.sweep, given(place.config.confirm).options(), 0)


def _is_other(place: Place) -> bool:
    """Whether the confirmation that lies there compares other hyps, or by another rule."""
    old, plan = Ledger.read(place.sweep / FOLDER / JSON), _plan(place)
    if old is None:
        return False
    gain = given(place.config.confirm).options().rule(Rule()).smallest_gain
    was = (old.plan.trials, old.plan.metric, old.plan.epochs, old.rule.smallest_gain)
    return was != (plan.trials, plan.metric, plan.epochs, gain)
