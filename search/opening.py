"""Opens the Optuna study of a sweep: creates it, opens it again to go on, or loads it to read from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.storages import BaseStorage, get_storage
from optuna.study import StudyDirection

from data_prep.errors import InputError
from search.drivers import Driver
from search.identity import guard, identity
from search.journal import JOURNAL, damaged_line, mend_journal
from search.journal_storage import SweepJournal
from search.keys import DEFAULT
from search.samplers import AUTHOR_KEY
from search.stages import stages_of
from search.study import SweepStudy
from search.study_mark import check_mark, refuse_lost, refuse_lost_file
from search.study_url import shown_url

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from search.config import SweepConfig
    from search.goals.screen import Screen
    from search.space import Space


def open_storage(config: SweepConfig, run_dir: Path) -> BaseStorage:
    """The storage of a sweep's study: its journal file, or what ``study_storage`` names.

    Raises:
        InputError: The URL cannot be opened.
    """
    if config.study_storage is None:
        return _journal(run_dir)
    try:
        return get_storage(config.study_storage)
    except Exception as error:  # whatever SQLAlchemy or a database driver makes of a wrong URL
        raise InputError(
            f"study_storage: {shown_url(config.study_storage)} cannot be opened ({type(error).__name__}); "
            "give an Optuna storage URL such as sqlite:////path/study.db, or leave it out."
        ) from error


def _journal(run_dir: Path) -> SweepJournal:
    path = (run_dir / JOURNAL).resolve()
    try:
        return SweepJournal(path)
    except ValueError as error:
        line = damaged_line(path)
        if line is None:
            raise
        raise InputError(
            f"{path}: line {line} is damaged: end the sweep's drivers and let `hypsweep resume {run_dir}` mend it."
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
        InputError: The study was made for something else (named), or belongs to another sweep; or it is gone.
    """
    if driver is None or not driver.joined:  # a driver that is alive needs no mending, and may be writing
        mend_journal(run_dir)
    if not new:
        refuse_lost_file(config, run_dir)
    storage = open_storage(config, run_dir)
    known = config.name in {
        summary.study_name for summary in optuna.get_all_study_summaries(storage, include_best_trial=False)
    }
    if known and new:
        raise InputError(
            f"study_storage: there is a study `{config.name}` already: choose another `name`, or resume that sweep."
        )
    if not known and not new:
        refuse_lost(config, run_dir)
    directions = [StudyDirection.MAXIMIZE if goal.mode == "max" else StudyDirection.MINIMIZE for goal in config.goals]
    study = optuna.create_study(
        storage=storage, sampler=sampler, study_name=config.name, directions=directions, load_if_exists=True
    )
    guard(study, identity(config, space))
    check_mark(study, run_dir, new=new)
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
    refuse_lost_file(config, run_dir)
    try:
        return optuna.load_study(study_name=config.name, storage=open_storage(config, run_dir))
    except KeyError as error:
        raise InputError(f"{run_dir}: its storage has no study `{config.name}`; give the folder of a sweep.") from error
