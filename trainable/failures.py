"""Why a training is over for good, by kind: what a trial reports, and what a sweep does about it."""

from __future__ import annotations

from data_prep.errors import (
    DataMissingError,
    DivergedError,
    HypsweepError,
    ImageError,
    InputError,
    OutOfMemoryError,
    WorkFailedError,
)

FAILURE = "failure"
"""Key of a result: one sentence that says why the training is over."""
FAILURE_KIND = "failure_kind"
"""Key of the same result: one of the kinds below."""

DIVERGED, MEMORY, IMAGE, DATA, INPUT = "diverged", "memory", "image", "data", "input"

KINDS: tuple[tuple[type[HypsweepError], str], ...] = (
    (DivergedError, DIVERGED),
    (OutOfMemoryError, MEMORY),
    (ImageError, IMAGE),
    (DataMissingError, DATA),
    (InputError, INPUT),
)
"""Errors that Ray must not retry, the more special ones first."""

SHARED = frozenset({IMAGE, DATA})
"""Kinds that are no trial's own fault: every other trial would end in the same way, so the sweep stops."""


def kind_of(error: Exception) -> str | None:
    """The kind of a failure; None for one that may not happen again (a full disk, a lost node) and can be retried."""
    return next((kind for cls, kind in KINDS if isinstance(error, cls)), None)


def error_of(kind: str | None, reason: str) -> HypsweepError:
    """A failure as the error that ends a run: wrong input by its kind, all else as work that failed."""
    found = next((cls for cls, known in KINDS if known == kind and issubclass(cls, InputError)), WorkFailedError)
    return found(reason)
