"""The Optuna study of a sweep, the one truth about its trials: create, open again, guard, lock, write.

Nothing else writes to a sweep's study, but :mod:`search.importing` while no driver is at work. A trial's record beyond
what Optuna keeps lies in two user attributes, each written in one go: ``last`` (the newest epoch, and what all epochs
took) and ``best`` (epoch, metrics of the best one); a trial that ended badly has its reason in ``failure`` and its kind
in ``failure_kind``.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from data_prep.errors import InputError
from search.checkpoints import begin_session
from search.drafts import DraftStorage
from search.drivers import Driver
from search.goals.record import OBJECTIVES, is_rejected, with_epoch
from search.goals.screen import CONSTRAINT
from search.journal import JOURNAL, mend_journal
from search.journal_storage import SweepJournal
from search.keys import DEFAULT, FAILURE, FAILURE_KIND
from search.known.marks import OwnTrials
from search.samplers import AUTHOR_KEY, PortfolioSampler
from search.samplers.keys import DRIVER_KEY
from search.samplers.stages import Stage, must_wait
from search.schedulers.neighbours import Neighbours
from search.stages import stages_of

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from search.config import SweepConfig
    from search.goals.screen import Screen
    from search.schedulers.rungs import Ladder
    from search.space import Space

_MACHINE_SETTINGS = ("data", "device", "workers", "cache", "cache_dir", "amp", "broken_images")
"""Training settings that say where a training runs, or what becomes of a damaged data set, rather than what it is; they
may change on resume."""
_BEFORE = {"path": "exact", "weights_sha256": None}
"""What trainings did before these settings existed: studies of that time do not name them."""


class SweepStudy:
    """An open study, written through its storage.

    Args:
        study:
            The study, with the sampler that draws its trials.
        storage:
            The storage that the study lies in.
        space:
            What is drawn for each trial.
        stream:
            What tells its draws from those of other drivers that are alive, 0 for the first; see
            :class:`~search.drafts.DraftStorage`.
        stages:
            The stages of the sweep, if it has any.
        screen:
            Judges every trial that is drawn, before it is stored; None lets all pass.
        driver:
            Who works on it; None where nobody else can.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: BaseStorage,
        space: Space,
        stream: int = 0,
        stages: Sequence[Stage] = (),
        screen: Screen | None = None,
        *,
        driver: Driver | None = None,
    ) -> None:
        self.study = study
        self._driver = driver
        self._space = space
        self._stages = stages
        self._screen = screen
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._storage = DraftStorage(storage, self._study_id, stream)
        self._drawn = optuna.Study(study.study_name, self._storage, sampler=study.sampler, pruner=study.pruner)
        self._told: dict[int, dict[int, float]] = {}
        self._own = OwnTrials()
        self._storage.history.attach(self._own)

    @property
    def name(self) -> str:
        """The study's name."""
        return self.study.study_name

    def better(self, value: float, than: float) -> bool:
        """Whether one value of the metric beats another."""
        maximize = self.study.direction == StudyDirection.MAXIMIZE
        return value > than if maximize else value < than

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in the given states (all states where none is given), in their order; not to be changed."""
        return self._drawn.get_trials(deepcopy=False, states=states or None)

    def trial(self, number: int) -> FrozenTrial:
        """One trial as the study has it now."""
        return self._storage.trial(number)

    def started(self) -> int:
        """How many trials were ever started, whatever became of them.

        Imported results were started elsewhere, and those that were rejected never were.
        """
        history = self._storage.history
        own = self._own
        return len(history.trials) - history.count(TrialState.WAITING) - own.results - own.rejected

    def failed(self) -> int:
        """How many trials ended as FAIL."""
        return self._storage.history.count(TrialState.FAIL)

    def has_epochs(self) -> bool:
        """Whether any trial that was started here has finished an epoch."""
        return bool(self._storage.history.trials) and self._own.has_epochs  # which follows the history

    def must_wait(self) -> bool:
        """Whether the next trial cannot be drawn yet: its stage starts from the best of what still trains."""
        return bool(self._stages) and must_wait(self._stages, self.trials())

    def exhausted(self) -> bool:
        """Whether nothing waits and the samplers have nothing more to suggest, as at the end of a grid."""
        if self._storage.history.count(TrialState.WAITING):
            return False
        return isinstance(self.study.sampler, PortfolioSampler) and self.study.sampler.exhausted(self._drawn)

    def draw(self) -> FrozenTrial:
        """Start a trial: the one that waits, or a new one from the sampler, which the study gets whole or not at all.

        Where another driver took the number that a new one was drawn under, it has the next. One that breaks a
        constraint says so (:func:`is_rejected`) and is told PRUNED at once: samplers that know constraints learn from
        it.
        """
        try:
            trial = self._suggest(self._drawn.ask())
        finally:
            self._storage.discard()  # what a sampler's error has left
        if is_rejected(trial):
            self.finish(trial.number, TrialState.PRUNED, kind=CONSTRAINT)
        return trial

    def draw_below(self, trials: int) -> FrozenTrial | None:
        """Start a trial unless so many were started, whoever did; None if they were."""
        with self._alone():
            return self.draw() if self.started() < trials else None

    def own(self) -> list[FrozenTrial]:
        """The RUNNING trials that this driver started or has taken over."""
        running = self.trials(TrialState.RUNNING)
        return [t for t in running if self._driver is None or t.user_attrs.get(DRIVER_KEY) == self._driver.number]

    def free(self) -> list[FrozenTrial]:
        """The RUNNING trials that this driver may go on with: no other one that is alive has them."""
        others = self._driver.others() if self._driver else frozenset()
        return [trial for trial in self.trials(TrialState.RUNNING) if trial.user_attrs.get(DRIVER_KEY) not in others]

    def take_over(self) -> list[FrozenTrial]:
        """The RUNNING trials that drivers left which are gone; from now on they are this driver's."""
        if self._driver is None:
            return self.free()
        with self._driver.alone(), self.together():
            left = self.free()
            for trial in left:
                self.note(trial.number, DRIVER_KEY, self._driver.number)
        return left

    def begin_session(self, root: str) -> str:
        """A folder for this driver's checkpoints; see :func:`search.checkpoints.begin_session`."""
        with self._alone():
            return begin_session(root)

    def watch_neighbours(self, rungs: Ladder[Any, Any] | None) -> Neighbours | None:
        """Let rungs see what other drivers' trials report, for as long as the answer is held."""
        if self._driver is None or rungs is None:
            return None
        neighbours = Neighbours(rungs, self._driver.number)
        self._storage.history.attach(neighbours)
        return neighbours

    def complete(self, trial: FrozenTrial) -> FrozenTrial:
        """Draw what a kill left undrawn in a running trial; parameters that it has are kept."""
        if self._space.is_whole(trial.params):
            return trial
        return self._suggest(Trial(self._drawn, trial._trial_id))  # noqa: SLF001  optuna names it nowhere else

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write what is told inside at its end, a journal in one go; :meth:`trial` shows it afterwards."""
        with self._storage.together():
            yield
        self._told.clear()

    def delete(self) -> None:
        """Remove the study, for a sweep that could not begin."""
        self._storage.delete_study(self._study_id)

    @property
    def has_several_goals(self) -> bool:
        """Whether trials have several values each."""
        return len(self.study.directions) > 1

    def report_goals(self, trial: FrozenTrial, epoch: int, values: Sequence[float]) -> None:
        """Store the values of an epoch where there are several goals."""
        self.note(trial.number, OBJECTIVES, with_epoch(trial, epoch, values))

    def report(self, number: int, epoch: int, value: float) -> None:
        """Store the value of an epoch."""
        # Not `Trial.report`: it needs a Trial, whose creation samples anew, and it warns of a step that it knows.
        self._storage.set_trial_intermediate_value(self._id(number), epoch, value)
        self._told.setdefault(number, {})[epoch] = value

    def note(self, number: int, key: str, value: object) -> None:
        """Store a user attribute of a trial."""
        self._storage.set_trial_user_attr(self._id(number), key, value)

    def finish(
        self,
        number: int,
        state: TrialState,
        value: float | Sequence[float] | None = None,
        reason: str | None = None,
        kind: str | None = None,
    ) -> None:
        """Tell the study what became of a trial.

        Args:
            number:
                The trial.
            state:
                COMPLETE, PRUNED (takes the value of its newest epoch, one that is told together with this, too; of
                several goals none, so Optuna wants it) or FAIL.
            value:
                The value of a COMPLETE trial, or its values.
            reason:
                Why it is FAIL.
            kind:
                The kind of that reason.
        """
        trial = self.trial(number)
        if state == TrialState.PRUNED:
            reported = {**trial.intermediate_values, **self._told.get(number, {})}
            value = reported[max(reported)] if reported else None
        values = _told_values(value)
        with self.together():
            if reason is not None:
                self.note(number, FAILURE, reason)
            if kind is not None:
                self.note(number, FAILURE_KIND, kind)
            # Not `Study.tell`: it reads the trial, and what is told together with this is not there yet.
            self.study.sampler.after_trial(self._drawn, trial, state, values)
            self._storage.set_trial_state_values(self._id(number), state, values)

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        return self._driver.alone() if self._driver else contextlib.nullcontext()

    def _id(self, number: int) -> int:
        return self._storage.trial_id(number)

    def _suggest(self, trial: Trial) -> FrozenTrial:
        with self._storage.together():
            if self._driver is not None:
                self._storage.set_trial_user_attr(trial._trial_id, DRIVER_KEY, self._driver.number)  # noqa: SLF001
            self._space.walk(functools.partial(suggest, trial))
            if self._screen is not None:
                self._screen.mark(trial)
        stored = self._storage.store(trial._trial_id)  # noqa: SLF001
        return self.trial(self._storage.get_trial(stored).number)


def _told_values(value: float | Sequence[float] | None) -> list[float] | None:
    values = [value] if isinstance(value, int | float) else list(value or ())
    return values if values and not any(map(math.isnan, values)) else None


def suggest(trial: Trial, name: str, distribution: BaseDistribution) -> Any:  # noqa: ANN401  a choice may be anything
    """Draw one parameter of a trial; one that it has already is returned as it is."""
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise TypeError(f"no way to draw {name}: unknown distribution {distribution!r}")


def open_storage(config: SweepConfig, run_dir: Path) -> BaseStorage:
    """The storage of a sweep's study: its journal file, or what ``study_storage`` names.

    Raises:
        InputError: The URL cannot be opened.
    """
    if config.study_storage is None:
        return SweepJournal((run_dir / JOURNAL).resolve())
    try:
        return get_storage(config.study_storage)
    except Exception as error:  # whatever SQLAlchemy or a database driver makes of a wrong URL
        raise InputError(
            f"study_storage: {config.study_storage} cannot be opened ({type(error).__name__}); "
            "give an Optuna storage URL such as sqlite:////path/study.db, or leave it out."
        ) from error


def open_study(
    config: SweepConfig,
    run_dir: Path,
    space: Space,
    sampler: BaseSampler,
    *,
    new: bool,
    screen: Screen | None = None,
    driver: Driver | None = None,
) -> SweepStudy:
    """Open the study of a sweep, or create it with the default hyp as trial 0.

    Args:
        config:
            The sweep.
        run_dir:
            The sweep's folder.
        space:
            What is searched.
        sampler:
            What draws the trials.
        new:
            Whether this is the first run: a study of that name that is there already then belongs to another sweep.
        screen:
            Judges every trial that is drawn; None lets all pass.
        driver:
            Who works on it; None where nobody else can.

    Raises:
        InputError: The study was made for something else (named), or belongs to another sweep.
    """
    if driver is None or not driver.joined:  # a driver that is alive needs no mending, and may be writing
        mend_journal(run_dir)
    storage = open_storage(config, run_dir)
    known = config.name in {
        summary.study_name for summary in optuna.get_all_study_summaries(storage, include_best_trial=False)
    }
    if known and new:
        raise InputError(
            f"study_storage: there is a study `{config.name}` already: choose another `name`, or resume that sweep."
        )
    directions = [StudyDirection.MAXIMIZE if goal.mode == "max" else StudyDirection.MINIMIZE for goal in config.goals]
    study = optuna.create_study(
        storage=storage, sampler=sampler, study_name=config.name, directions=directions, load_if_exists=True
    )
    _guard(study, identity(config, space))
    if not study.get_trials(deepcopy=False):  # also where a kill came between the study and its first trial
        study.enqueue_trial(config.start(space), user_attrs={AUTHOR_KEY: DEFAULT})
    stream = driver.stream if driver else 0
    return SweepStudy(study, storage, space, stream, stages_of(config.stages, space), screen, driver=driver)


def load_study(config: SweepConfig, run_dir: Path) -> optuna.Study:
    """The study of a sweep to read from, also while its driver runs.

    Raises:
        InputError: There is none.
    """
    if config.study_storage is None and not (run_dir / JOURNAL).exists():
        raise InputError(f"{run_dir} holds no {JOURNAL}: give the folder of a sweep that was started.")
    try:
        return optuna.load_study(study_name=config.name, storage=open_storage(config, run_dir))
    except KeyError as error:
        raise InputError(f"{run_dir}: its storage has no study `{config.name}`; give the folder of a sweep.") from error


def identity(config: SweepConfig, space: Space) -> dict[str, Any]:
    """What must stay the same for the values of a study to mean the same."""
    train = config.settings().as_dict()
    return {
        "space": dict(sorted(space.identity().items())),
        "data": fingerprint(Path(config.data)),
        "metric": config.metric,
        "mode": config.mode,
        "objectives": list(map(str, config.objectives)) or None,
        "constraints": {name: str(limit) for name, limit in config.constraints.limits().items()} or None,
        "epochs": train.pop("epochs"),
        "hyp": config.base_hyp().as_dict(),
        "train": {name: value for name, value in train.items() if name not in _MACHINE_SETTINGS},
    }


def fingerprint(data: Path) -> str:
    """Digest of a data set: of its manifest where it has one, else of its ``data.yaml``. The folder may move."""
    manifest = data.with_name("manifest.json")
    return hashlib.sha256((manifest if manifest.is_file() else data).read_bytes()).hexdigest()


def _guard(study: optuna.Study, wanted: dict[str, Any]) -> None:
    """Refuse a study that was made for something else; a new one is marked with what it is for."""
    held = study.user_attrs.get("identity")
    if held is None:
        study.set_user_attr("key", secrets.token_hex(4))
        study.set_user_attr("identity", wanted)
        return
    held = {**held, "train": {**_BEFORE, **held.get("train", {})}}
    for part, value in json.loads(json.dumps(wanted)).items():
        if held.get(part) != value:
            shown = f" ({_difference(held.get(part), value)})" if part != "data" else ""
            raise InputError(
                f"study `{study.study_name}` was made with another {part}{shown}: "
                "set it back, or start a sweep of its own with another name and folder."
            )


def _difference(held: Any, wanted: Any) -> str:  # noqa: ANN401  two values of a part of the identity
    """What differs: the keys of mappings, else both values."""
    if isinstance(held, dict) and isinstance(wanted, dict):
        return ", ".join(name for name in sorted({*held, *wanted}) if held.get(name) != wanted.get(name))
    return f"{held}, now {wanted}"
