"""A console whose text tests can look at."""

from __future__ import annotations

import io

from rich.console import Console


class Screen:
    """What a console of a given width shows."""

    def __init__(self, width: int = 60, *, terminal: bool = False) -> None:
        self._text = io.StringIO()
        self.console = Console(file=self._text, width=width, force_terminal=terminal)

    @property
    def text(self) -> str:
        return self._text.getvalue()
