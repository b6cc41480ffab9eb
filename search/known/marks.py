"""How a study marks what was imported into it."""

from __future__ import annotations

from optuna.trial import FrozenTrial

from search.goals.record import OBJECTIVES, REJECTED
from search.known.use import As

IMPORT = "import"
"""Stands as the author of an imported trial, which no sampler drew."""
IMPORTS = "imports"
"""User attribute of the study: what was imported, one entry for each source and use."""
ORIGIN = "import"
"""User attribute of an imported trial: ``digest`` of its source, what it was taken ``as``, its ``index`` there."""
SOURCE = "source"
"""User attribute of an imported trial: where it is from, in words."""


def is_result(trial: FrozenTrial) -> bool:
    """Whether a trial was trained elsewhere and only its result stands here: the sweep did not start it."""
    return bool(trial.user_attrs.get(ORIGIN, {}).get("as") == As.RESULTS)


class OwnTrials:
    """What a sweep asks of its own trials at every suggestion; kept up to date by the study's history.

    Attributes:
        results:
            How many trials are no own ones: imported results.
        rejected:
            How many were drawn and never trained, because they break a constraint.
        has_epochs:
            Whether any other trial has ever reported a value.
    """

    def __init__(self) -> None:
        self.results = 0
        self.rejected = 0
        self.has_epochs = False

    def replace(self, old: FrozenTrial | None, new: FrozenTrial) -> None:
        """Take a trial at its new state for what it was before (None: it is new)."""
        self.rejected += (REJECTED in new.user_attrs) - (old is not None and REJECTED in old.user_attrs)
        if is_result(new):
            self.results += old is None
        elif new.intermediate_values or OBJECTIVES in new.user_attrs:
            self.has_epochs = True
