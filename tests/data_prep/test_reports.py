from __future__ import annotations

import csv
import hashlib
import io
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from data_prep.balance import balance_table
from data_prep.findings import Finding, Kind, Policy
from data_prep.groups import ByFile, group_records
from data_prep.labels import Stratification
from data_prep.records import safe_key
from data_prep.reports import balance_csv, count_findings, finding_row, findings_csv, groups_csv, hash_lines
from data_prep.split import Split
from tests.data_prep.herds import NAMES, record

text = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
findings = st.lists(st.builds(Finding, st.sampled_from(Kind), text, text, text, st.sampled_from(Policy)))


@given(findings, st.randoms())
def test_findings_are_a_table_whatever_their_order(found: list[Finding], rng: object) -> None:
    mixed = list(found)
    rng.shuffle(mixed)  # type: ignore[attr-defined]  # it is a random.Random
    table = findings_csv(mixed)
    assert table == findings_csv(found)
    rows = list(csv.reader(io.StringIO(table, newline="")))[1:]
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == [
        [cell.removeprefix("'") for cell in finding_row(finding)] for finding in sorted(found, key=finding_row)
    ]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_findings_are_counted_by_kind_and_policy() -> None:
    kinds = [(Kind.BOX_OUTSIDE, Policy.DROP), (Kind.BOX_OUTSIDE, Policy.CLIP), (Kind.BOX_OUTSIDE, Policy.CLIP)]
    counts = count_findings(Finding(kind, "", "", "", policy) for kind, policy in kinds)
    assert counts == {"box_outside": {"clip": 2, "drop": 1}}


def test_balance_is_a_table_of_numbers() -> None:
    splits = {
        Split.TRAIN: (record("a", pigs=1), record("b", pigs=1)),
        Split.VALID: (record("c", cows=1),),
    }
    table = balance_csv(balance_table(splits, NAMES, Stratification()))
    rows = {(row["label"], row["split"]): row for row in csv.DictReader(io.StringIO(table))}
    pigs = rows["class pig", "valid"]
    assert (float(pigs["share"]), float(pigs["expected"]), float(pigs["deviation_points"])) == (0, 0.333333, -33.3333)


def test_groups_are_in_the_form_that_prepare_reads(tmp_path: Path) -> None:
    groups = {safe_key("+c.d"): 0, safe_key("-a"): 1, "b": 1, "돼지": 0}
    (tmp_path / "groups.csv").write_text(groups_csv(groups), encoding="utf-8")
    records = [record(key) for key in groups]
    found = group_records(records, [ByFile(by="file", file=tmp_path / "groups.csv")])
    assert dict(zip(groups, found, strict=True)) == {"a": 0, "b": 0, "c.d": 1, "돼지": 1}


def test_hashes_are_in_the_form_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "돼지.jpg").write_bytes(b"x")
    hashes = {"images/돼지.jpg": hashlib.sha256(b"x").hexdigest()}
    (tmp_path / "files.sha256").write_text(hash_lines(hashes), encoding="utf-8")
    command = ["sha256sum", "--check", "--strict", "files.sha256"]
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    (tmp_path / "images" / "돼지.jpg").write_bytes(b"y")
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 1
