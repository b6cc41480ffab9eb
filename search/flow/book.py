"""``flow.json``: which steps of a flow are done, from which inputs, and what they left.

A step is done for as long as its inputs are those that are written there and what it left lies there unchanged. It is
written when a step begins, too: what a kill leaves half done is known to be of these inputs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.files import file_sha256, write_atomically

FLOW_JSON = "flow.json"
FORMAT = 1


@dataclass(frozen=True)
class Entry:
    """What is known of a step.

    Attributes:
        inputs:
            What it was begun with: name to value or digest.
        outputs:
            File to SHA-256 of what it left, relative to the flow's folder; None: it is not done.
        result:
            What it found, for people and the steps after it.
        finished:
            When, in UTC.
        seconds:
            How long it took, all starts together.
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, str] | None = None
    result: Mapping[str, Any] | None = None
    finished: str | None = None
    seconds: float = 0.0


class Book:
    """The record of a flow.

    Args:
        folder:
            The flow's folder.

    Raises:
        InputError: ``flow.json`` is damaged or of a later version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / FLOW_JSON
        self._entries: dict[str, Entry] = self._read()

    def _read(self) -> dict[str, Entry]:
        if not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            form = content["format"]
            steps = {name: Entry(**values) for name, values in content["steps"].items()} if form == FORMAT else {}
            if not all(isinstance(entry.inputs, dict) for entry in steps.values()):
                raise TypeError("a step without inputs")  # noqa: TRY301  # said below
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self._path}: is no record of a flow ({error}); delete it to have every step looked at anew."
            ) from error
        if form != FORMAT:
            raise InputError(f"{self._path}: has format {form!a:.20} and this hypsweep knows {FORMAT}; update it.")
        return steps

    def entry(self, name: str) -> Entry | None:
        """What is known of a step; None: nothing."""
        return self._entries.get(name)

    def begun(self, name: str) -> bool:
        """Whether a step was ever begun."""
        return name in self._entries

    def changed(self, name: str, inputs: Mapping[str, Any]) -> frozenset[str]:
        """Names of the inputs that are not those that a step was begun with; none where it was never begun."""
        known = self._entries.get(name)
        if known is None:
            return frozenset()
        return frozenset(key for key in {*known.inputs, *inputs} if known.inputs.get(key) != inputs.get(key))

    def is_done(self, name: str, inputs: Mapping[str, Any]) -> bool:
        """Whether a step is done with these inputs, and what it left is there."""
        known = self._entries.get(name)
        if known is None or known.outputs is None or self.changed(name, inputs):
            return False
        return all(_digest(self.folder / file) == digest for file, digest in known.outputs.items())

    def begin(self, name: str, inputs: Mapping[str, Any]) -> None:
        """Note that a step begins."""
        known = self._entries.get(name)
        spent = known.seconds if known is not None and not self.changed(name, inputs) else 0.0
        self._entries[name] = Entry(json.loads(json.dumps(inputs)), seconds=spent)
        self._write()

    def stop(self, name: str, seconds: float) -> None:
        """Note that a step did not come to its end."""
        known = self._entries[name]
        self._entries[name] = Entry(known.inputs, seconds=known.seconds + seconds)
        self._write()

    def finish(self, name: str, files: Sequence[Path], result: Mapping[str, Any], seconds: float) -> None:
        """Note that a step is done.

        Args:
            name:
                The step.
            files:
                What it left.
            result:
                What it found, as JSON can hold it.
            seconds:
                How long it took.
        """
        known = self._entries[name]
        outputs = {str(file.relative_to(self.folder)): file_sha256(file) for file in files}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._entries[name] = Entry(known.inputs, outputs, result, now, known.seconds + seconds)
        self._write()

    def forget(self, names: Sequence[str]) -> None:
        """Let steps count as never finished; what they left stays where it is."""
        for name in names:
            known = self._entries.get(name)
            if known is not None:
                self._entries[name] = Entry(known.inputs)
        self._write()

    def results(self) -> dict[str, Any]:
        """Step to what it found, of those that are done."""
        return {name: dict(entry.result) for name, entry in self._entries.items() if entry.result is not None}

    def _write(self) -> None:
        steps = {name: vars(entry) for name, entry in self._entries.items()}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, (json.dumps({"format": FORMAT, "steps": steps}, indent=1) + "\n").encode())


def digest_of(value: object) -> str:
    """SHA-256 of what JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _digest(file: Path) -> str | None:
    return file_sha256(file) if file.is_file() else None
