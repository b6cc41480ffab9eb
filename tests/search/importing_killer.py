"""An import in a process of its own that dies in its midst: ``python -m tests.search.importing_killer RUN FILE AFTER``.

It ends itself by SIGKILL as soon as so many trials are added; 0 means at the study's own entry, after the last one.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import optuna

from search.importing import import_known
from search.known.config import known_configs
from search.known.use import As


def main(run: str, file: str, after: int) -> None:
    add, note, added = optuna.Study.add_trial, optuna.Study.set_user_attr, 0

    def add_then_die(self: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        nonlocal added
        add(self, trial)
        added += 1
        if added == after:
            os.kill(os.getpid(), signal.SIGKILL)

    def die_or_note(self: optuna.Study, key: str, value: Any) -> None:
        if after == 0 and key == "imports":
            os.kill(os.getpid(), signal.SIGKILL)
        note(self, key, value)

    optuna.Study.add_trial = add_then_die  # type: ignore[method-assign]
    optuna.Study.set_user_attr = die_or_note  # type: ignore[method-assign]
    import_known(run, known_configs([file], top=None, as_=As.ENQUEUE, clip=False))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
