"""The folder beside the target in which a data set grows until it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from data_prep.errors import InputError, WorkFailedError


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a run keeps what the next one can use if this one is cut off.

    Attributes:
        folder:
            ``.<name>.partial`` beside the target.
        out:
            The target.
    """

    folder: Path
    out: Path

    @property
    def journal(self) -> Path:
        """What was seen of the pictures."""
        return self.folder / "examined.jsonl"

    def draft(self, plan: str) -> Path:
        """Return the folder to write the data set into.

        What an earlier run wrote there stays if its plan was the same, else it is removed.

        Args:
            plan:
                Names all that determines the data set: a hash.
        """
        draft, note = self.folder / "draft", self.folder / "plan"
        if not note.is_file() or note.read_text() != plan:
            if draft.exists():
                shutil.rmtree(draft)
            note.write_text(plan)
        draft.mkdir(exist_ok=True)
        return draft

    def publish(self) -> None:
        """Give the draft the target's name, as the last step."""
        if self.out.is_dir():
            self.out.rmdir()  # empty, or this is an error: nothing of others is replaced
        (self.folder / "draft").rename(self.out)


@contextmanager
def workplace(out: Path) -> Iterator[Workplace]:
    """Hold the workplace of a target, alone.

    It vanishes when the block ends well or the input was wrong. When the work was cut off (Ctrl-C, disk full, a
    kill), it stays, and the next run goes on with it.

    Raises:
        InputError: The place cannot be written, or another run is at work there.
        WorkFailedError: Writing failed later (disk full, say).
    """
    place = Workplace(out.with_name(f".{out.name}.partial"), out)
    missing = [folder for folder in out.parents if not folder.exists()]
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.folder / "lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise InputError(f"{out} is being prepared by another run; wait for it or choose another folder") from error
    except OSError as error:
        _remove_empty(missing)
        raise InputError(f"{out} cannot be written ({error.strerror}); choose another output folder") from error
    try:
        yield place
    except InputError:
        _remove(place.folder, missing)
        raise
    except OSError as error:
        message = f"writing {out} failed ({error.strerror}); make room there and run again: it goes on where it was"
        raise WorkFailedError(message) from error
    else:
        _remove(place.folder, missing)
    finally:
        lock.release()


def _remove(folder: Path, parents: Sequence[Path]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _remove_empty(parents)


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
