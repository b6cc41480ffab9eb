"""Options: how a sweep is run, as against what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray import tune
    from rich.console import Console

    from search.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a sweep is run, as against what it is.

    Attributes:
        address:
            Ray cluster, see :func:`search.runtime.ray_runtime`.
        trainable:
            The class that trains; None takes :class:`trainable.detection.DetectionTrainable`.
        console:
            Where progress is shown; None shows nothing.
        on_progress:
            Called with the progress, for a display of one's own.
    """

    address: str | None = None
    trainable: type[tune.Trainable] | None = None
    console: Console | None = None
    on_progress: Callable[[Progress], None] | None = None

    def say(self, line: str) -> None:
        """Tell the user one line."""
        if self.console is not None:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
