"""``hypsweep check``: everything that is wrong with a data set or with raw data; nothing is changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.errors import InputError
from data_prep.export import data_yamls
from data_prep.files import read_yaml_mapping
from data_prep.findings import Finding, Kind, Policy, Severity
from data_prep.gather import gather
from data_prep.leaks import find_leaks
from data_prep.manifest import FILES_NAME, Manifest
from data_prep.pool import threaded_map
from data_prep.progress import Progress, silent
from data_prep.reports import FINDING_COLUMNS, count_findings, finding_row
from data_prep.store import RawStore
from data_prep.targets import load_target, splits_of
from data_prep.text import printable


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    Attributes:
        names:
            Class names.
        images:
            Number of pictures that are sound or were mended by a policy.
        findings:
            All that was found; ``policy`` says what ``prepare`` does about it.
    """

    names: tuple[str, ...]
    images: int
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is an error or refused by a policy."""
        return not any(finding.severity is Severity.ERROR or finding.policy is Policy.FAIL for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return what is shown with ``--json``."""
        return {
            "sound": self.sound,
            "images": self.images,
            "names": list(self.names),
            "counts": count_findings(self.findings),
            "findings": [dict(zip(FINDING_COLUMNS, finding_row(finding), strict=True)) for finding in self.findings],
        }


def check(target: Path, progress: Progress | None = None) -> CheckResult:
    """Check a data set or raw data.

    Args:
        target:
            Folder of a data set, a stock ``data.yaml``, or the configuration of ``hypsweep prepare``.
        progress:
            Told of every picture in the stages ``read`` and ``look``, and of every file as stage ``hash``.

    Raises:
        InputError: It cannot be read as a whole.
    """
    report = progress or silent
    found = load_target(target)
    with RawStore(found.config.limits) as store:
        gathered = gather(found.config, store, report)
    findings = list(gathered.findings)
    if found.folder is not None:
        config = found.config
        findings += find_leaks(
            splits_of(found, gathered), config.near_duplicate_distance, config.policies.near_duplicate
        )
        if found.manifest is not None:
            findings += changed_files(found.folder, found.manifest, report)
    return CheckResult(gathered.names, len(gathered.pool) + len(gathered.tests), tuple(findings))


def changed_files(folder: Path, manifest: Manifest, progress: Progress) -> list[Finding]:
    """Hold every file of a prepared data set against the hashes that were written with it."""
    listing = folder / FILES_NAME
    digest = _hash(listing)
    if digest != manifest.files_sha256:
        found = "cannot be read" if digest is None else "is not the one that the manifest names"
        return [_changed(FILES_NAME, f"{found}, so no file can be held against it")]
    expected = dict(_parse(listing.read_text(encoding="utf-8", errors="replace")))
    findings = list(_changed_yamls(folder, manifest))
    hashed = threaded_map(lambda name: _hash(folder / name), expected)
    for done, (name, digest) in enumerate(zip(expected, hashed, strict=True), start=1):
        if digest != expected[name]:
            findings.append(_changed(name, "is missing" if digest is None else "has another content"))
        progress("hash", done, len(expected))
    return findings + [_changed(name, "was added") for name in _present(folder) if name not in expected]


def _changed_yamls(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Hold the YAMLs, which no hash covers, against what they say but for ``path:``."""
    for name, expected in data_yamls(manifest.names, manifest.splits, len(manifest.folds)).items():
        try:
            found = read_yaml_mapping(folder / name)
        except InputError:
            yield _changed(name, "cannot be read")
            continue
        if {key: value for key, value in found.items() if key != "path"} != expected:
            yield _changed(name, "names other pictures or classes")


def _parse(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _hash(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


#: What YOLOv5 leaves in ``labels/``, and with ``--cache disk`` in ``images/``.
_CACHES = (".cache", ".npy")


def _present(folder: Path) -> Iterator[str]:
    for kind in ("images", "labels"):
        for path in sorted((folder / kind).rglob("*")):
            if not path.is_dir() and path.suffix not in _CACHES:
                yield path.relative_to(folder).as_posix()


def _changed(name: str, detail: str) -> Finding:
    return Finding(Kind.CHANGED_FILE, printable(name), detail)
