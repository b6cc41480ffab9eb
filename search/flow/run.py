"""Runs a flow: each step that is not done, in its order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import HypsweepError, InputError
from search.drivers import driver
from search.flow.book import Book
from search.flow.check import check_flow
from search.flow.config import FlowConfig
from search.flow.step import Place, Step, Watch
from search.flow.steps import steps


@dataclass(frozen=True)
class FlowResult:
    """What a flow made.

    Attributes:
        folder:
            Its folder.
        results:
            Step to what it found; see :mod:`search.flow.steps`.
        ran:
            The steps that were not done already.
    """

    folder: Path
    results: Mapping[str, Any]
    ran: tuple[str, ...]


def run_flow(config: FlowConfig, out: str | Path, watch: Watch | None = None, start: str | None = None) -> FlowResult:
    """Run a flow, or what of it is not done.

    A step is done where its inputs (configuration, data, what the steps before it left) are those that it was done with
    and what it left is unchanged. One that was stopped goes on. Where inputs changed, the sweep goes on if there are
    only more trials or another budget; else what was made from the others is moved aside.

    Args:
        config:
            What is done.
        out:
            The flow's folder.
        watch:
            How it is run and who is told.
        start:
            A step that is to be run again, with those after it; None: what is not done.

    Raises:
        InputError: A configuration is wrong, another process works in the folder, or there is no step ``start``.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: A step failed, or the confirmation did not decide; the message names the step.
    """
    place = Place(config, Path(out).absolute(), watch or Watch())
    found = steps(place)
    check_flow(place)
    _make(place.folder)
    names = [step.name for step in found]
    if start is not None and start not in names:
        raise InputError(f"--from {start}: this flow has the steps {', '.join(names)}.")
    with driver(place.folder):
        book = Book(place.folder)
        if start is not None:
            book.forget(names[names.index(start) :])
        ran = tuple(step.name for step in found if _run(step, place, book))
    return FlowResult(place.folder, {name: result for name, result in book.results().items() if name in names}, ran)


def _run(step: Step, place: Place, book: Book) -> bool:
    """Run a step unless it is done; whether it was run."""
    with _named(step.name):
        inputs = step.inputs(place)
        if book.is_done(step.name, inputs):
            place.watch.say(f"{step.name}: done already")
            return False
        changed = book.changed(step.name, inputs)
        why = f" (other {', '.join(sorted(changed))})" if changed else ""
        place.watch.say(f"{step.name}: {'again' if book.begun(step.name) else 'begins'}{why}")
        step.clear(place, changed)
        book.begin(step.name, inputs)
        started = time.monotonic()
        try:
            made = step.run(place)
        except BaseException:
            book.stop(step.name, time.monotonic() - started)
            raise
        book.finish(step.name, made.files, made.result, time.monotonic() - started)
    return True


@contextmanager
def _named(step: str) -> Iterator[None]:
    """Say at which step an error came, and that what is done stays done."""
    try:
        yield
    except HypsweepError as error:
        again = "" if isinstance(error, InputError) else "; the same command goes on here"
        error.args = (f"{step}: {str(error).rstrip('.')}{again}.", *error.args[1:])
        raise


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder with --out.") from error
