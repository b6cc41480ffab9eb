"""Another study: that of a sweep's folder, of a journal file, or behind an Optuna storage URL; it is only read.

``runs/pig/study.journal#pig`` and ``sqlite:////data/studies.db#pig`` name the study; where there is one alone, the
name may be left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url

from data_prep.errors import InputError
from data_prep.text import printable
from search.keys import LAST
from search.known.source import KnownSource, KnownTrial
from search.known.tables import shown
from search.results import read_run
from search.space import SETS, SETTINGS

_MEASURED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


def read_run_folder(folder: Path) -> KnownSource:
    """Read the study of a sweep's folder; its driver may be at work.

    Raises:
        InputError: The folder holds no sweep, or its study cannot be read.
    """
    try:
        _, study = read_run(folder)
    except (ValueError, KeyError, OSError) as error:
        raise error if isinstance(error, InputError) else _unreadable(shown(folder), error) from error
    return _source(study, shown(folder))


def read_journal(path: Path, name: str | None = None) -> KnownSource:
    """Read a study of a journal file.

    Raises:
        InputError: It is no journal of Optuna, or has no such study.
    """
    try:
        storage = JournalStorage(JournalFileBackend(str(path.resolve())))
        return _named(storage, name, shown(path))
    except InputError:
        raise
    except Exception as error:  # whatever Optuna makes of lines that are no records
        raise _unreadable(shown(path), error) from error


def read_storage(url: str, name: str | None = None) -> KnownSource:
    """Read a study behind an Optuna storage URL; a data base that is none of Optuna's is left as it is.

    Raises:
        InputError: The URL cannot be opened, or has no such study.
    """
    try:
        parsed = make_url(url)
    except Exception as error:  # SQLAlchemy's own errors of several kinds
        raise _unreadable(url.partition("://")[0] + "://...", error) from error
    where = printable(parsed.render_as_string(hide_password=True))
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise InputError(f"{where}: there is no file {parsed.database}: correct the URL (four slashes: absolute).")
    try:
        return _named(RDBStorage(url, skip_table_creation=True), name, where)
    except InputError:
        raise
    except Exception as error:  # whatever SQLAlchemy or a data base driver makes of what is no storage of Optuna
        raise _unreadable(where, error) from error


def _unreadable(name: str, error: Exception) -> InputError:
    return InputError(f"{name} cannot be read as an Optuna study ({type(error).__name__}): give another source.")


def _named(storage: BaseStorage, name: str | None, where: str) -> KnownSource:
    names = optuna.get_all_study_names(storage)
    found = printable(", ".join(names[:10])) or "none"
    if name is None and len(names) != 1:
        raise InputError(f"{where} holds {len(names)} studies ({found}): name one behind a #.")
    if name is not None and name not in names:
        raise InputError(f"{where} holds no study `{printable(name)}`: it has {found}.")
    chosen = name or names[0]
    return _source(optuna.load_study(study_name=chosen, storage=storage), f"{where}#{printable(chosen)}")


def _source(study: optuna.Study, where: str) -> KnownSource:
    if len(study.directions) > 1:
        raise InputError(f"{where} has several goals, so its trials have no order: give single hyps of it.")
    identity = study.user_attrs.get("identity")
    base = _base(identity) if isinstance(identity, Mapping) else {}
    targets = _targets(identity) if isinstance(identity, Mapping) else {}
    all_trials = study.get_trials(deepcopy=False)
    trials = [_trial(trial, base, targets, where) for trial in all_trials if _is_measured(trial)]
    left = sum(trial.state != TrialState.WAITING for trial in all_trials) - len(trials)
    return KnownSource(
        name=where,
        trials=tuple(trials),
        maximize=study.direction == StudyDirection.MAXIMIZE,
        identity=identity if isinstance(identity, Mapping) else None,
        key=study.user_attrs.get("key"),
        left_out=(f"{left} trials that failed or have no value",) if left else (),
    )


def _base(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What the trials of a sweep have in common."""
    settings = {name: value for name, value in identity.get("train", {}).items() if name in SETTINGS}
    return {**settings, **identity.get("hyp", {})}


def _is_measured(trial: FrozenTrial) -> bool:
    value = _value(trial)
    return trial.state in _MEASURED and bool(trial.params) and value is not None and math.isfinite(value)


def _value(trial: FrozenTrial) -> float | None:
    if trial.state == TrialState.COMPLETE or trial.last_step is None:
        return trial.value
    return trial.intermediate_values[trial.last_step]


def _targets(identity: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a sweep that set a hyp of another name, and that hyp."""
    entries = {name: json.loads(entry) for name, entry in identity.get("space", {}).items()}
    return {name: entry[SETS] for name, entry in entries.items() if SETS in entry}


def _trial(trial: FrozenTrial, base: Mapping[str, Any], targets: Mapping[str, str], where: str) -> KnownTrial:
    last = trial.user_attrs.get(LAST, {})
    return KnownTrial(
        params={**base, **{targets.get(name, name): value for name, value in trial.params.items()}},
        label=f"{where} trial {trial.number}",
        value=_value(trial),
        metrics=last.get("metrics", {}),
        epochs=last.get("epoch", trial.last_step),
        finished=trial.state == TrialState.COMPLETE,
        curve=trial.intermediate_values,
    )
