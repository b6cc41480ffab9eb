"""Runs a comparison: each arm tuned where that is asked for, then all over the same new seeds, under Ray Tune."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data_prep.errors import StoppedError
from search import runtime
from search.compare.arms import Arm
from search.compare.config import ComparisonConfig
from search.compare.kept import keep
from search.compare.ledger import ComparisonLedger
from search.compare.opening import Comparison, held_ledger, new_ledger, open_comparison
from search.compare.plan import common_plan
from search.compare.result import ArmRow, ComparisonResult, arm_rows, failures
from search.compare.tune import tuned_arm
from search.compare.write import write_files
from search.confirm.training import SeedTrainings, check, train
from search.drivers import driver
from search.options import Options


def compare(config: ComparisonConfig, out: str | Path, options: Options | None = None) -> ComparisonResult:
    """Train all arms over the same new seeds and all epochs, round by round, until each one's standing is known.

    Killed or stopped and started again it goes on; finished trainings are not repeated, and one that is decided trains
    nothing more. Every training is judged on the validation split after its last epoch.

    Args:
        config:
            What is compared.
        out:
            The comparison's folder.
        options:
            How it is run.

    Raises:
        InputError: Something in the configuration is wrong, or the folder is in use or holds something else.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: A training crashed for good, no trial of an arm's sweep has finished an epoch, or Ray gave up.
    """
    options, work = options or Options(), open_comparison(config, Path(out).absolute())
    held_ledger(work)  # what is wrong with it is said before anything is written
    with driver(work.run_dir):
        keep(work.config, work.base, work.run_dir)
        ledger = held_ledger(work) or new_ledger(work, _tuned(work, options))
        if not ledger.is_over():
            with runtime.ray_runtime(options.address):
                common = common_plan(work.base, ledger.plan, runtime.gpus_per_trial(work.base.resources))
                trainings = SeedTrainings(ledger, common, work.base, work.run_dir, work.root(ledger.plan), work.command)
                check(trainings, options)
                ledger.write()
                train(trainings, options)
        return _conclude(work, ledger)


def _tuned(work: Comparison, options: Options) -> Sequence[Arm]:
    tune = work.config.tune
    if tune is None:
        return work.arms
    try:
        return [tuned_arm(arm, work.config, tune, work.run_dir, options) for arm in work.arms]
    except StoppedError as error:
        raise StoppedError(f"{str(error).rstrip('.')}; go on with `{work.command}`.") from error


def _conclude(work: Comparison, ledger: ComparisonLedger) -> ComparisonResult:
    decision, config = ledger.decision(), work.config
    large = tuple(
        ArmRow(arm=arm.name, sets=arm.sets, megabytes=work.megabytes[arm.name], quality={}) for arm in work.large
    )
    undecided = decision is None or not decision.is_decided
    most = 2 * max(*ledger.looks, ledger.rule.most)
    found = ComparisonResult(
        run_dir=work.run_dir,
        name=config.name,
        metric=ledger.plan.metric,
        mode=ledger.plan.mode,
        epochs=ledger.plan.epochs,
        smallest_gain=config.smallest_gain,
        max_megabytes=config.max_megabytes,
        sd=None if decision is None else decision.sd,
        rows=(*arm_rows(ledger, work.megabytes), *large),
        failures=failures(ledger),
        next_command=f"{work.command} --max-seeds {most}" if undecided else None,
    )
    ledger.write(result=found.as_dict())
    write_files(found, ledger)
    return found
