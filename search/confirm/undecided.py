"""What is taken where the seeds do not decide."""

from __future__ import annotations

from enum import StrEnum


class Undecided(StrEnum):
    """What is taken where the seeds do not decide."""

    STOP = "stop"
    """Nothing: it is said, with the next command."""
    DEFAULT = "default"
    """The default hyp."""
    BEST = "best"
    """The hyp with the best mean, which may be the default's."""
