"""`hypsweep confirm` and what it prints; the trainings are filled in, so no Ray is needed."""

from __future__ import annotations

from typing import Any

import pytest

from search.confirm.opening import open_confirmation
from search.confirm.options import ConfirmOptions
from search.results import read_run
from tests.search.command_line import Cli, assert_refused, only_json, snapshot
from tests.search.confirm.sweeps import swept
from tests.search.confirm.test_ledger import train
from tests.search.conftest import SweepFiles

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("without_ray")]


def confirmed(files: SweepFiles, means: dict[int, float | None], noise: float = 1e-4, **asked: Any) -> SweepFiles:
    swept(files, [0.5, 0.7, 0.6])
    train(open_confirmation(files.run, *read_run(files.run), ConfirmOptions(**asked)).ledger, means, noise)
    return files


def test_a_winner_is_shown_and_what_finishes_it(files: SweepFiles, cli: Cli) -> None:
    found = cli("confirm", confirmed(files, {0: 0.2, 1: 0.3, 2: 0.25}).run)
    assert found.code == 0
    lines = found.out.splitlines()
    assert any(line.split()[:4] == ["1", "0.7000", "2", "0.3000"] and "promote" in line for line in lines)
    assert lines[-2].startswith("promote: trial 1 after 2 seeds: +0.09")
    assert lines[-1] == f"finish it: hypsweep promote {files.run}"
    assert "rank correlation sweep (one seed) -> confirmed on train: 1.00 (n = 3)" in lines


def test_a_default_that_is_kept(files: SweepFiles, cli: Cli) -> None:
    found = cli("confirm", confirmed(files, {0: 0.3, 1: 0.2, 2: None}).run)
    assert found.code == 0
    assert "keep default after 2 seeds: no candidate is better by 0.01\n" in found.out
    assert "trial 2 was lost with seed 41: diverged\n" in found.out
    assert "lost 1" in found.out


def test_undecided_ends_with_1_and_the_next_command(files: SweepFiles, cli: Cli) -> None:
    found = cli("confirm", confirmed(files, {0: 0.2, 1: 0.2, 2: 0.2}, noise=0.1).run)
    assert found.code == 1
    assert found.err == ""
    assert f"add seeds: hypsweep confirm {files.run} --max-seeds 12\n" in found.out


def test_json_is_one_object(files: SweepFiles, cli: Cli) -> None:
    found = cli("confirm", confirmed(files, {0: 0.2, 1: 0.2, 2: 0.2}, noise=0.1).run, "--json")
    assert found.code == 1
    values = only_json(found.out)
    assert (values["verdict"], values["trial"], values["look"]) == ("undecided", None, 6)
    assert [row["trial"] for row in values["rows"]] == [0, 1, 2]
    assert values["next_command"] == f"hypsweep confirm {files.run} --max-seeds 12"


def test_a_sweep_of_the_default_alone_keeps_it(files: SweepFiles, cli: Cli) -> None:
    found = cli("confirm", swept(files, [0.5], trials=1).run)
    assert found.code == 0
    assert "keep default after 0 seeds: there is no other hyp to compare\n" in found.out


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("--top-k", "0"), "--top-k 0"),
        (("--seeds", "1"), "--seeds 1"),
        (("--metric", "loss"), "--metric loss: choose fitness"),
        (("--max-seeds", "1"), "--max-seeds 1"),
    ],
)
def test_wrong_options_are_refused_and_change_nothing(
    files: SweepFiles, cli: Cli, arguments: tuple[str, ...], pattern: str
) -> None:
    swept(files, [0.5, 0.7])
    before = snapshot(files.folder)
    assert_refused(cli("confirm", files.run, *arguments), pattern)
    assert snapshot(files.folder) == before


def test_promote_refuses_what_is_undecided(files: SweepFiles, cli: Cli, shapes: Any) -> None:
    swept(files, [0.5, 0.7, 0.6], data=str(shapes))
    train(open_confirmation(files.run, *read_run(files.run), ConfirmOptions()).ledger, {0: 0.2, 1: 0.2, 2: 0.2}, 0.1)
    found = cli("promote", files.run)
    assert found.code == 1
    assert f"add seeds with `hypsweep confirm {files.run} --max-seeds 12`" in found.err
    assert not (files.run / "promoted").exists()


def test_the_report_has_a_section_of_it(files: SweepFiles, cli: Cli) -> None:
    cli("report", confirmed(files, {0: 0.2, 1: 0.3, 2: 0.25}).run)
    page = (files.run / "report.html").read_text()
    assert "promote: trial 1 after 2 seeds" in page
    assert "interval of the gain" in page


def test_the_report_of_a_sweep_without_one_has_none(files: SweepFiles, cli: Cli) -> None:
    cli("report", swept(files, [0.5, 0.7]).run)
    assert "interval of the gain" not in (files.run / "report.html").read_text()


@pytest.mark.parametrize("mean", [0.2, None])
def test_the_table_fits_a_terminal_of_80_columns(files: SweepFiles, cli: Cli, mean: float | None) -> None:
    found = cli("confirm", confirmed(files, {0: 0.2, 1: 0.2, 2: mean}, noise=0.01).run)
    assert "…" not in found.out
    assert max(len(line) for line in found.out.splitlines() if "rank" not in line and "hypsweep" not in line) <= 80
