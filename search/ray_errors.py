"""What Ray's errors mean to the user: what happened, and the command that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ray.tune.error import TuneError

from data_prep.errors import WorkFailedError
from search import runtime


@contextmanager
def explained(run_dir: Path, root: str, cause: Callable[[], Exception | None], again: str) -> Iterator[None]:
    """Say of an error of Ray what happened and how to go on.

    Args:
        run_dir:
            The sweep's folder.
        root:
            Where checkpoints lie, for an error of the storage that names no file.
        cause:
            The error behind the one that Ray raises, if it is known.
        again:
            How to go on.

    Raises:
        WorkFailedError: Ray gave up without a known cause, or a file could not be read or written.
    """
    try:
        yield
    except TuneError as error:
        raise cause() or WorkFailedError(
            f"{run_dir}: Ray Tune gave up ({str(error).strip().splitlines()[-1]}); {again}."
        ) from error
    except (OSError, EOFError) as error:  # EOFError: a full disk left one of Ray's files empty
        where, why = getattr(error, "filename", None) or root, getattr(error, "strerror", None) or error
        raise WorkFailedError(f"{where}: {why}: remove the cause (a full disk?) and {again}.") from error


def while_ray_lives(asked: Callable[[], bool], run_dir: Path, again: str) -> Callable[[], bool]:
    """Wrap a question that Ray asks again and again: it raises where Ray on this machine has died.

    Raised, for a clean end of the trials would be waited for.
    """
    watch = runtime.NodeWatch()

    def answer() -> bool:
        if watch.lost():
            raise WorkFailedError(
                f"{run_dir}: Ray on this machine has died (out of memory? see "
                f"/tmp/ray/session_latest/logs/raylet.out); {again}."
            )
        return asked()

    return answer
