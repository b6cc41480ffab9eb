"""What a step of a flow is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from data_prep.errors import InputError
from data_prep.progress import Progress, silent
from search.drivers import live_drivers
from search.flow.config import FlowConfig
from search.options import Options

T = TypeVar("T")


class Made(NamedTuple):
    """What a step made.

    Attributes:
        files:
            What stands for it: where one of them is gone or changed, the step is done anew.
        result:
            What it found, as JSON can hold it.
    """

    files: tuple[Path, ...]
    result: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How a flow is run and who is told.

    Attributes:
        options:
            Ray and console.
        progress:
            Told of pictures that are prepared or predicted.
        on_epoch, on_start:
            As in :class:`search.promote.PromoteOptions`.
    """

    options: Options = field(default_factory=Options)
    progress: Progress = silent
    on_start: Callable[[int, int], None] | None = None
    on_epoch: Callable[[dict[str, Any]], None] | None = None

    def say(self, line: str) -> None:
        """Tell the user one line."""
        self.options.say(line)


@dataclass(frozen=True)
class Place:
    """Where a flow works, on what, and how.

    Attributes:
        config:
            What it does.
        folder:
            Its folder, absolute.
        watch:
            How it is run.
    """

    config: FlowConfig
    folder: Path
    watch: Watch = field(default_factory=Watch)

    @property
    def data(self) -> Path | None:
        """The ``data.yaml`` of this flow; None: the sweep names one itself."""
        return self.folder / "data" / "data.yaml" if self.config.prepare is not None else self.config.data

    @property
    def sweep(self) -> Path:
        """Folder of the sweep."""
        return self.folder / "sweep"

    def aside(self, path: Path) -> Path | None:
        """Move what an earlier step left out of the way, and say where it is; None where nothing is there.

        Raises:
            InputError: Another process works in it.
        """
        if not path.exists():
            return None
        if live_drivers(path):
            raise InputError(
                f"{path} is in use: another hypsweep works in it; wait for it or end it with Ctrl-C first."
            )
        number = 1
        while (target := path.with_name(f"{path.name}.before-{number}")).exists():
            number += 1
        path.rename(target)
        self.watch.say(f"what was made from other inputs is in {target}")
        return target


def _nothing(_: Place, __: frozenset[str]) -> None:
    """There is nothing to move aside."""


class Step(NamedTuple):
    """One step.

    Attributes:
        name:
            In ``flow.json`` and in what is said.
        inputs:
            What it depends on, name to value or digest; asked when it is its turn.
        run:
            Does it, or what of it is not done.
        clear:
            Moves aside what was made from other inputs, before it is noted that the step begins with these; told the
            names of those that changed. Done twice it does nothing more.
    """

    name: str
    inputs: Callable[[Place], Mapping[str, Any]]
    run: Callable[[Place], Made]
    clear: Callable[[Place, frozenset[str]], None] = _nothing


def given(value: T | None) -> T:
    """A section of the configuration that a step is there for."""
    if value is None:
        raise AssertionError("a step without its section")
    return value
