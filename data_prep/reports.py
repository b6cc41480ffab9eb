"""The tables that lie beside a prepared data set, for people and spreadsheets."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from data_prep.balance import Balance
from data_prep.findings import Finding

FINDINGS_CSV = "findings.csv"
BALANCE_CSV = "balance.csv"
GROUPS_CSV = "groups.csv"
FINDING_COLUMNS = ("kind", "severity", "policy", "image", "file", "detail")


def findings_csv(findings: Iterable[Finding]) -> str:
    """Return all findings as a table, sorted, so that the same findings give the same text."""
    rows = sorted(finding_row(finding) for finding in findings)
    return table_csv(FINDING_COLUMNS, rows)


def finding_row(finding: Finding) -> tuple[str, ...]:
    """Return one finding in the order of :data:`FINDING_COLUMNS`."""
    return (
        finding.kind.value, finding.severity.value, finding.policy.value, finding.image, finding.file, finding.detail
    )  # fmt: skip


def count_findings(findings: Iterable[Finding]) -> dict[str, dict[str, int]]:
    """Count findings by kind and policy, sorted."""
    counts = Counter((finding.kind.value, finding.policy.value) for finding in findings)
    found: dict[str, dict[str, int]] = {}
    for (kind, policy), count in sorted(counts.items()):
        found.setdefault(kind, {})[policy] = count
    return found


def balance_csv(balance: Balance) -> str:
    """Return the share of every label in every split, shares and deviations rounded to six and four decimals."""
    columns = ("label", "split", "whole", "images", "share", "expected", "deviation_points")
    rows = [
        (row.label, row.split.value, row.whole, row.images, round(row.share, 6), round(row.expected, 6),
         round(row.deviation, 4))
        for row in (*balance.sizes, *balance.rows)
    ]  # fmt: skip
    return table_csv(columns, rows)


def groups_csv(groups: Mapping[str, int]) -> str:
    """Return the group of every picture, in the form that ``{by: file}`` reads."""
    return table_csv(("image", "group"), sorted(groups.items()))


def table_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV text with line feeds.

    A cell that a spreadsheet would take for a formula gets a quote in front.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_inert(cell) for cell in row] for row in rows)
    return text.getvalue()


def hash_lines(hashes: Mapping[str, str]) -> str:
    """Return hashes in the form that ``sha256sum --check`` reads, sorted by path."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "@", "-", "\t", "\r") else cell
