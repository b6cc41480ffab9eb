"""What can become of a known config."""

from __future__ import annotations

from enum import StrEnum


class As(StrEnum):
    """What becomes of a known config."""

    ENQUEUE = "enqueue"
    """It is tried anew, before what the samplers suggest."""
    RESULTS = "results"
    """It stands in the study as a finished trial, with the value that it had."""
