"""The errors of all three rooms, named by what the user should do next.

Every message is one sentence that names the file, the key or the value and says the remedy. The command line prints
it without a traceback and ends with ``exit_code``: 2 when the user's input is wrong, 1 when the work failed.
"""

from __future__ import annotations


class HypsweepError(Exception):
    """Root of every error that hypsweep raises on purpose."""

    exit_code = 1


class InputError(HypsweepError, ValueError):
    """The user's input (file, key, value) is wrong: change it, then run the command again."""

    exit_code = 2


class WorkFailedError(HypsweepError, RuntimeError):
    """The input was fine and the work failed: look at the named file or log, then run the command again."""


class StoppedError(HypsweepError):
    """The user asked for the end: what was done is kept, and the message says how to go on."""

    exit_code = 130


class DivergedError(HypsweepError, ArithmeticError):
    """A training reached NaN or inf: never retry it, its hyperparameters are at fault.

    Attributes:
        epoch:
            Zero-based epoch in which the loss was no longer finite.
    """

    def __init__(self, message: str, epoch: int) -> None:
        super().__init__(message)
        self.epoch = epoch

    def __reduce__(self) -> tuple[type[DivergedError], tuple[str, int]]:
        # Ray sends errors between processes; the inherited way would rebuild it from the message alone.
        return type(self), (str(self), self.epoch)


class DataMissingError(InputError):
    """The data set is gone, or nothing of it can be used: every trial of a sweep would fail like this one."""


class ImageError(InputError):
    """An image cannot be decoded, and the policy is to fail: replace or remove it, or choose to skip such images."""


class OutOfMemoryError(HypsweepError, MemoryError):
    """A training does not fit into memory even with one image per batch: a smaller model or image size is needed."""


class DiskFullError(WorkFailedError):
    """There is no room on the disk: free some, then run the command again."""
