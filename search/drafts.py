"""Trials are drawn before they are stored: what Optuna writes parameter by parameter becomes one record.

``study.ask`` on a journal syncs the disk for each parameter, and a kill in between leaves half a trial. A
:class:`DraftStorage` before the real one keeps a new trial until it is whole, so that Optuna's own ``ask`` and
``Trial`` draw it, whatever the sampler.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search.forwarding_storage import ForwardingStorage
from search.journal_storage import SweepJournal
from search.samplers.history import History
from search.samplers.keys import STREAM_KEY

_DRAFT_ID = -1
"""Storage id of a draft; Optuna gives it to trials that are in no storage."""
_NOT_KEPT = ("tpe:relative_params", "gp:relative_params")
"""System attributes by which samplers tell each other the parameters of a trial that is half drawn."""


class DraftStorage(ForwardingStorage):
    """The storage of one study, in which a trial that is created without a template stays a draft.

    All trials are read from a history that follows the storage, at the cost of what has changed.

    Args:
        storage:
            The real one.
        study_id:
            The study.
        stream:
            Which of several drivers on the study this is, 0 for the first: it enters the seed of what they draw, so
            that two of them never draw the same for the same number.
        ranges:
            What is drawn from by now, if that was ever widened; see :class:`~search.samplers.history.History`.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_id: int,
        stream: int = 0,
        ranges: Mapping[str, BaseDistribution] | None = None,
    ) -> None:
        super().__init__(storage)
        self._study_id = study_id
        self._stream = stream
        self._draft: FrozenTrial | None = None
        self._history = History(storage, study_id, ranges)
        self._history.refresh()

    @property
    def history(self) -> History:
        """All trials as they are now; as they were when it was begun, while a trial is being drawn."""
        if self._draft is None:
            self._history.refresh()
        return self._history

    def trial(self, number: int) -> FrozenTrial:
        """One trial as it is now, by its number."""
        return self._history.trial(number)

    def trial_id(self, number: int) -> int:
        """The id of a stored trial."""
        return self._history.trial_id(number)

    def discard(self) -> None:
        """Forget the draft, if there is one."""
        self._draft = None

    def store(self, trial_id: int) -> int:
        """Store a trial if it is the draft, in one record, and return its id there.

        Its number is the storage's to give: another driver may have taken the one that it was drawn under.
        """
        if trial_id != _DRAFT_ID or self._draft is None:
            return trial_id
        whole, self._draft = self._draft, None
        for key in [key for key in whole.system_attrs if key.startswith(_NOT_KEPT)]:
            del whole.system_attrs[key]
        return self._storage.create_new_trial(self._study_id, template_trial=whole)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write what is told inside in one go, where the storage can; nothing of it can be read inside."""
        if isinstance(self._storage, SweepJournal):
            with self._storage.together():
                yield
            self._read_back()
        else:
            yield

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a draft under the next number; a template is stored as it is."""
        if template_trial is not None:
            return self._storage.create_new_trial(study_id, template_trial)
        self._draft = FrozenTrial(
            number=len(self.history.trials),
            trial_id=_DRAFT_ID,
            state=TrialState.RUNNING,
            value=None,
            values=None,
            datetime_start=datetime.now(),  # noqa: DTZ005  Optuna's times are local ones
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={STREAM_KEY: self._stream} if self._stream else {},
            intermediate_values={},
        )
        return _DRAFT_ID

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The draft, or a stored trial."""
        return self._draft_of(trial_id) or self._storage.get_trial(trial_id)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The stored trials of the study."""
        if study_id != self._study_id:
            return self._storage.get_all_trials(study_id, deepcopy, states)
        trials = list(self.history.of_states(states))
        return copy.deepcopy(trials) if deepcopy else trials

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Give a parameter to the draft, or to a stored trial."""
        draft = self._draft_of(trial_id)
        if draft is None:
            self._storage.set_trial_param(trial_id, param_name, param_value_internal, distribution)
        else:
            draft.distributions[param_name] = distribution
            draft.params[param_name] = distribution.to_external_repr(param_value_internal)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401  Optuna's signature
        """Give an attribute to the draft, or to a stored trial."""
        draft = self._draft_of(trial_id)
        if draft is None:
            self._storage.set_trial_user_attr(trial_id, key, value)
        else:
            draft.user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401
        """Give a system attribute to the draft, or to a stored trial."""
        draft = self._draft_of(trial_id)
        if draft is None:
            self._storage.set_trial_system_attr(trial_id, key, value)
        else:
            draft.system_attrs[key] = value

    def _read_back(self) -> None:
        """Read what was written together: there a journal says what it refuses, one record after the other."""
        refused: list[UpdateFinishedTrialError] = []
        while True:
            try:
                self._history.refresh()
                break
            except UpdateFinishedTrialError as error:
                refused.append(error)
        if refused:
            raise refused[0]

    def _draft_of(self, trial_id: int) -> FrozenTrial | None:
        return self._draft if trial_id == _DRAFT_ID else None
