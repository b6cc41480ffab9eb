"""SweepStudy: the open Optuna study of a sweep, the one truth about its trials: read, draw, report, finish.

Nothing else writes to a sweep's study, but :mod:`search.importing` while no driver is at work. A trial's record beyond
what Optuna keeps lies in two user attributes, each written in one go: ``last`` (the newest epoch, and what all epochs
took) and ``best`` (epoch, metrics of the best one); a trial that ended badly has its reason in ``failure`` and its kind
in ``failure_kind``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from search.budget.settled import SettledTrials
from search.checkpoints import begin_session
from search.drafts import DraftStorage
from search.drivers import Driver
from search.goals.record import OBJECTIVES, is_rejected, with_epoch
from search.goals.screen import CONSTRAINT
from search.keys import FAILURE, FAILURE_KIND, SETTLED, WIDENED
from search.known.marks import OwnTrials
from search.parameters import suggest
from search.samplers import PortfolioSampler
from search.samplers.history import Index
from search.samplers.keys import DRIVER_KEY
from search.samplers.stages import Stage, held_up_by
from search.schedulers.neighbours import Neighbours
from search.told import told_values

if TYPE_CHECKING:
    from search.goals.screen import Screen
    from search.schedulers.rungs import Ladder
    from search.space import Space


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
        ranges = space.distributions() if WIDENED in study.user_attrs else None
        self._storage = DraftStorage(storage, self._study_id, stream, ranges)
        self._drawn = optuna.Study(study.study_name, self._storage, sampler=study.sampler, pruner=study.pruner)
        self._told: dict[int, dict[int, float]] = {}
        self._own, self._settled = OwnTrials(), SettledTrials()
        self.follow(self._own)
        self.follow(self._settled)

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
        """Whether the next trial cannot be drawn yet: its stage starts from the best of what still trains.

        What a dead driver left at work trains no more, and waits for a resume.
        """
        if not self._stages or not (training := held_up_by(self._stages, self.trials())):
            return False
        alive = self._driver.others() | {self._driver.number} if self._driver else None
        return alive is None or any(trial.user_attrs.get(DRIVER_KEY) in alive for trial in training)

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

    def draw_below(self, trials: int, may_begin: Callable[[], bool] = lambda: True) -> FrozenTrial | None:
        """Start a trial unless so many were started, whoever did, or it may not begin; None then.

        ``may_begin`` is asked while no other driver can start one.
        """
        with self.alone():
            return self.draw() if self.started() < trials and may_begin() else None

    def own(self) -> list[FrozenTrial]:
        """The RUNNING trials that this driver started or has taken over."""
        running = self.trials(TrialState.RUNNING)
        return [t for t in running if self._driver is None or t.user_attrs.get(DRIVER_KEY) == self._driver.number]

    def free(self) -> list[FrozenTrial]:
        """The RUNNING trials that this driver may go on with: no other one that is alive has them."""
        others = self.others()
        return [trial for trial in self.trials(TrialState.RUNNING) if trial.user_attrs.get(DRIVER_KEY) not in others]

    @property
    def driver(self) -> int | None:
        """Number of the driver that works on it; None where nobody else can."""
        return self._driver.number if self._driver else None

    def others(self) -> frozenset[int]:
        """Numbers of the other drivers that are alive."""
        return self._driver.others() if self._driver else frozenset()

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep other drivers from starting or taking over trials for a moment; not one within another."""
        return self._driver.alone() if self._driver else contextlib.nullcontext()

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
        with self.alone():
            return begin_session(root)

    def watch_neighbours(self, rungs: Ladder[Any, Any] | None) -> Neighbours | None:
        """Let rungs see what other drivers' trials report, for as long as the answer is held."""
        if self._driver is None or rungs is None:
            return None
        neighbours = Neighbours(rungs, self._driver.number)
        self.follow(neighbours)
        return neighbours

    def refresh(self) -> None:
        """Tell those that follow the trials what other drivers have written."""
        _ = self._storage.history  # which is up to date whenever it is asked for

    def follow(self, index: Index) -> None:
        """Fill an index of the trials and keep it up to date, for as long as somebody holds it."""
        self._storage.history.attach(index)

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
        values = told_values(state, value, {**trial.intermediate_values, **self._told.get(number, {})})
        with self.together():
            if reason is not None:
                self.note(number, FAILURE, reason)
            if kind is not None:
                self.note(number, FAILURE_KIND, kind)
            if state == TrialState.COMPLETE:
                self.note(number, SETTLED, self._settled.count_with(number))
            # Not `Study.tell`: it reads the trial, and what is told together with this is not there yet.
            self.study.sampler.after_trial(self._drawn, trial, state, values)
            self._storage.set_trial_state_values(self._id(number), state, values)

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
