"""How long work tells what it has done; the command line draws a bar and an ETA from it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called after every picture of a stage."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` items passed a stage.

        Args:
            stage:
                ``read`` (labels), ``look`` (pictures), ``write``, ``pack`` (archives), ``hash`` (files) or ``draw``.
            done:
                From 1 to ``total``; a stage may begin anew, for a second source.
            total:
                Number of items of the stage.
        """


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing: the default."""
    del stage, done, total
