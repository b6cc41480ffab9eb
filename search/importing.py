"""Brings known configs into a sweep's study: as trials that wait to be tried, or as finished ones.

Each trial that comes in carries the digest of its source and its place there, in the one record that makes it. So an
import that was cut off goes on where it was, and one that is repeated adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from data_prep.errors import InputError
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML, check_files
from search.drivers import driver
from search.identity import identity
from search.keys import LAST
from search.known.choose import TOP, Choice, choose, curve_of, ranking
from search.known.comparable import check_comparable, check_config
from search.known.config import KnownConfig
from search.known.fit import Fitted, fit
from search.known.marks import IMPORT, IMPORTS, ORIGIN, SOURCE, is_result
from search.known.read import read_known
from search.known.report import Imported, ImportReport
from search.known.source import KnownSource
from search.known.tables import shown
from search.known.use import As
from search.opening import open_study
from search.optuna_log import quiet_optuna
from search.samplers import AUTHOR_KEY
from search.space import Space, load_space
from search.study import SweepStudy


def import_known(run_dir: str | Path, sources: Sequence[KnownConfig]) -> ImportReport:
    """Bring what is known into the study of a sweep that is not running.

    Args:
        run_dir:
            The sweep's folder.
        sources:
            What to import; all of it is checked before the first trial is added.

    Raises:
        InputError: The folder holds no sweep or is in use; a source is damaged, has a config outside the space, or
            results that are not comparable. Nothing was added.
    """
    run_dir = Path(run_dir).absolute()
    if not (run_dir / SWEEP_YAML).is_file():
        raise InputError(f"{shown(run_dir)} holds no {SWEEP_YAML}: give the folder of a sweep.")
    config = load_sweep_config(run_dir / SWEEP_YAML)
    check_files(config)
    space = load_space(config.space)
    known = [(each, read_known(each.source)) for each in sources]
    with driver(run_dir), quiet_optuna():
        study = open_study(config, run_dir, space, RandomSampler(seed=config.seed), new=False)
        imported = _enter(study, config, space, known)
        waiting = len(study.trials(TrialState.WAITING))
        planned = study.study.user_attrs.get("target", config.trials)
        lacking = max(0, min(waiting, study.started() + waiting - planned))
    return ImportReport(run_dir=run_dir, sources=imported, waiting=waiting, lacking=lacking)


def check_start_from(config: SweepConfig, space: Space) -> None:
    """Check that what a sweep starts from can be imported, before anything is made.

    Raises:
        InputError: See :func:`import_known`.
    """
    for each in config.start_from:
        _plan(each, read_known(each.source), config, space, ())


def start_from(study: SweepStudy, config: SweepConfig, space: Space) -> tuple[Imported, ...]:
    """Bring in what a sweep starts from; what was brought in before is not read again.

    Raises:
        InputError: See :func:`import_known`.
    """
    done = [entry["wanted"] for entry in study.study.user_attrs.get(IMPORTS, [])]
    new = [each for each in config.start_from if each.model_dump(mode="json") not in done]
    return _enter(study, config, space, [(each, read_known(each.source)) for each in new])


@dataclass(frozen=True)
class _Plan:
    """What one source will bring in.

    Attributes:
        wanted:
            What is to become of it.
        source:
            The source.
        choice:
            What is taken of it.
        present:
            What an earlier import brought in: place in the source to number of the trial.
        left_out:
            What is not taken, in words.
    """

    wanted: KnownConfig
    source: KnownSource
    choice: Choice
    present: Mapping[int, int]
    left_out: tuple[str, ...]

    def new_params(self) -> list[dict[str, Any]]:
        """The configs that are not in the study yet."""
        return [fitted.params for index, fitted in self.choice.taken if index not in self.present]


def _enter(
    study: SweepStudy, config: SweepConfig, space: Space, known: Iterable[tuple[KnownConfig, KnownSource]]
) -> tuple[Imported, ...]:
    """Plan all sources, each beside what the ones before it bring in, then carry the plans out."""
    plans: list[_Plan] = []
    for wanted, source in known:
        if source.key is not None and source.key == study.study.user_attrs.get("key"):
            raise InputError(f"{source.name} is this sweep itself: give another source.")
        plans.append(_plan(wanted, source, config, space, study.trials(), plans))
    return tuple(_carry_out(plan, study, config, space) for plan in plans)


def _plan(
    wanted: KnownConfig,
    source: KnownSource,
    config: SweepConfig,
    space: Space,
    trials: Sequence[FrozenTrial],
    before: Sequence[_Plan] = (),
) -> _Plan:
    order, base, left_out = ranking(source, config.metric, config.mode), config.base(space), source.left_out
    if wanted.as_ == As.RESULTS:
        if config.objectives:
            raise InputError(
                f"{source.name}: results have one value and the sweep has several objectives: import as enqueue."
            )
        check_comparable(source, identity(config, space))
        unfinished = len(order) - len(order := [i for i in order if source.trials[i].finished])
        left_out += (f"{unfinished} trials that did not run to their last epoch",) if unfinished else ()
    present = _present(trials, source, wanted.as_)
    held = [_params(t) for t in trials if t.number not in present.values() and _competes(t, wanted.as_)]
    held += [params for plan in before if plan.wanted.as_ == wanted.as_ for params in plan.new_params()]
    spread = wanted.as_ == As.ENQUEUE and source.ranked
    choice = choose(
        ((index, _fitted(wanted, source, index, base, space)) for index in order),
        present.keys(),
        held,
        space.distributions(),
        top=wanted.top or (TOP if spread else None),
        spread=spread,
    )
    return _Plan(wanted, source, choice, present, left_out)


def _competes(trial: FrozenTrial, as_: As) -> bool:
    """Whether a trial of the study makes the same config of a source superfluous."""
    return as_ == As.ENQUEUE or is_result(trial)


def _fitted(wanted: KnownConfig, source: KnownSource, index: int, base: Mapping[str, Any], space: Space) -> Fitted:
    fitted = fit(source.trials[index], base, space, clip=wanted.clip)
    if wanted.as_ == As.RESULTS:
        check_config(fitted.known.label, fitted.other, base)
    return fitted


def _present(trials: Iterable[FrozenTrial], source: KnownSource, as_: As) -> dict[int, int]:
    digest, found = source.digest, {}
    for trial in trials:
        origin = trial.user_attrs.get(ORIGIN, {})
        if origin.get("digest") == digest and origin.get("as") == as_:
            found[int(origin["index"])] = trial.number
    return found


def _params(trial: FrozenTrial) -> dict[str, Any]:
    """What a trial was, or is to be, tried with."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _carry_out(plan: _Plan, study: SweepStudy, config: SweepConfig, space: Space) -> Imported:
    """Add the trials of one source, then the study's entry that says so."""
    taken, present = plan.choice.taken, dict(plan.present)
    for index, fitted in taken:
        if index not in present:
            present[index] = len(study.trials())
            study.study.add_trial(_trial(plan, index, fitted, config, space))
    numbers = tuple(present[index] for index, _ in taken)
    _note(plan, study, numbers)
    configs = [fitted for _, fitted in taken]
    return Imported(
        source=plan.source.name,
        as_=plan.wanted.as_,
        known=len(plan.source.trials),
        trials=numbers,
        earlier=sum(index in plan.present for index, _ in taken),
        duplicates=plan.choice.duplicates,
        near=plan.choice.near,
        left_out=plan.left_out,
        other=_names(fitted.other for fitted in configs),
        filled=_names(fitted.filled for fitted in configs),
        clipped=tuple(
            f"{fitted.known.label}: {name} {there:g} -> {here:g}"
            for fitted in configs
            for name, (there, here) in fitted.clipped.items()
        ),
    )


def _names(each: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in each for name in names))


def _trial(plan: _Plan, index: int, fitted: Fitted, config: SweepConfig, space: Space) -> FrozenTrial:
    known, as_ = fitted.known, plan.wanted.as_
    origin = {"digest": plan.source.digest, "as": str(as_), "index": index}
    attrs: dict[str, Any] = {AUTHOR_KEY: IMPORT, SOURCE: known.label, ORIGIN: origin}
    if as_ == As.ENQUEUE:  # what `Study.enqueue_trial` makes
        return create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": fitted.params}, user_attrs=attrs)
    last = {"epoch": config.epochs, "metrics": dict(known.metrics), "seconds": 0.0, "epochs_run": 0}
    searched = space.distributions()
    return create_trial(
        state=TrialState.COMPLETE,
        value=known.value,
        params=fitted.params,
        distributions={name: searched[name] for name in fitted.params},
        user_attrs={**attrs, LAST: last},
        intermediate_values=curve_of(known, config.epochs),
    )


def _note(plan: _Plan, study: SweepStudy, numbers: Sequence[int]) -> None:
    """Write down in the study that a source was imported."""
    wanted, digest = plan.wanted.model_dump(mode="json"), plan.source.digest
    entry = {"wanted": wanted, "digest": digest, "source": plan.source.name, "trials": list(numbers)}
    entries = [held for held in study.study.user_attrs.get(IMPORTS, []) if held["wanted"] != wanted]
    study.study.set_user_attr(IMPORTS, [*entries, entry])
