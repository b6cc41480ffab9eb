"""Opens the confirmation in a sweep's folder: goes on with the one that is there, or begins one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import optuna
from pyarrow.fs import FileSystem  # type: ignore[import-untyped]

from data_prep.errors import InputError
from search.config import SweepConfig
from search.confirm.ledger import FOLDER, JSON, Ledger
from search.confirm.options import ConfirmOptions
from search.confirm.plan import ConfirmPlan, make_plan
from search.confirm.verdict import Rule
from search.paths import join
from search.space import Space, load_space

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A confirmation that is to be gone on with, and the sweep that it is of."""

    run_dir: Path
    config: SweepConfig
    study: optuna.Study
    space: Space
    ledger: Ledger

    @property
    def root(self) -> str:
        """Path or URI of its checkpoints; another confirmation has others."""
        shared = self.config.storage_path
        key = self.study.user_attrs["key"]
        base = join(shared, f"{self.config.name}-{key}-{FOLDER}") if shared else str(self.run_dir / FOLDER / "ray")
        return join(base, f"seeds_from_{self.ledger.plan.first_seed}")


def open_confirmation(run_dir: Path, config: SweepConfig, study: optuna.Study, asked: ConfirmOptions) -> Work:
    """The confirmation in a sweep's folder, or a new one that is not written yet.

    Raises:
        InputError: It is one of something else, or what is asked for cannot be.
        WorkFailedError: No trial has finished an epoch.
    """
    path, space = run_dir / FOLDER / JSON, load_space(config.space)
    old = Ledger.read(path)
    seeds = config.settings().seed + 1
    if old is not None and not asked.anew:
        begun = ConfirmOptions(
            top_k=asked.top_k or max(len(old.plan.params) - 1, 1),
            epochs=asked.epochs or old.plan.epochs,
            metric=asked.metric or old.plan.metric,
        )
        _refuse_other(old, make_plan(config, study, space, run_dir, begun, old.plan.first_seed), asked, run_dir)
        old.ask(asked.rule(old.rule))
        return Work(run_dir, config, study, space, old)
    if old is not None:
        seeds = old.plan.seed(max(old.looks, default=0))
    plan = make_plan(config, study, space, run_dir, asked, seeds)
    return Work(run_dir, config, study, space, Ledger(path, plan, asked.rule(Rule())))


def _refuse_other(old: Ledger, now: ConfirmPlan, asked: ConfirmOptions, run_dir: Path) -> None:
    differs = [
        f"{name} {getattr(old.plan, name)}, not {getattr(now, name)}"
        for name in ("metric", "epochs")
        if getattr(old.plan, name) != getattr(now, name)
    ]
    if old.plan.trials[1:] != now.trials[1:]:
        differs.insert(0, f"trials {_listed(old.plan)}, and the sweep's best are now {_listed(now)}")
    if asked.smallest_gain not in (None, old.rule.smallest_gain):
        differs.append(f"smallest gain {old.rule.smallest_gain:g}, not {asked.smallest_gain:g}")
    if differs:
        raise InputError(
            f"{run_dir / FOLDER} holds a confirmation with {'; '.join(differs)}: "
            f"begin another one with `hypsweep confirm {run_dir} --anew`, or go on with the options that it has."
        )


def _listed(plan: ConfirmPlan) -> str:
    return ", ".join(map(str, plan.trials[1:])) or "none"


def put_aside(work: Work) -> None:
    """Keep the record of an earlier confirmation beside the new one; its checkpoints are of no more use."""
    path = work.ledger.path
    old = Ledger.read(path) if path.exists() else None
    if old is None or old.plan.first_seed == work.ledger.plan.first_seed:
        return
    earlier = Work(work.run_dir, work.config, work.study, work.space, old).root
    path.rename(path.with_name(f"confirm_seeds_from_{old.plan.first_seed}.json"))
    try:
        filesystem, base = FileSystem.from_uri(earlier)
        filesystem.delete_dir_contents(base, missing_dir_ok=True)
    except OSError as error:
        logger.warning("%s: the checkpoints of an earlier confirmation could not be deleted (%s)", earlier, error)
