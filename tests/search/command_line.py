"""The command line as tests run it, and what they ask of its answers."""

from __future__ import annotations

import io
import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file with its bytes and every folder below ``folder``."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def assert_refused(outcome: Outcome, *patterns: str, code: int = 2) -> None:
    """One sentence on stderr, nothing on stdout."""
    assert outcome.code == code, outcome
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert "Traceback" not in outcome.err
    for pattern in patterns:
        assert re.search(pattern, outcome.err), f"{pattern!r} is not in {outcome.err!r}"


def only_json(text: str) -> dict[str, Any]:
    """The one JSON object that ``text`` is; NaN, which JSON does not know, is refused."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert text.count("\n") == 1
    found = json.loads(text, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


class Trip(io.StringIO):
    """A terminal at which the user presses Ctrl-C once a training is amid its epochs."""

    pressed = False

    def write(self, text: str) -> int:
        if "epoch 2/" in text and not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return super().write(text)
