from __future__ import annotations

import pytest

from search.report import write_report
from search.report.facts import gather
from search.results import read_run
from search.space import load_space
from tests.search.conftest import SweepFiles
from tests.search.goals.test_goals import ended, open_goals

pytestmark = pytest.mark.timeout(60)


def test_the_page_of_several_goals_shows_the_front_and_how_to_choose(files: SweepFiles) -> None:
    ended(files)

    page = write_report(files.run).read_text(encoding="utf-8")

    assert "more map50_95 and less cost" in page
    assert f"hypsweep promote {files.run} --trial N" in page
    config, study = read_run(files.run)
    facts = gather(study, config, load_space(config.space))
    assert [(each.trial.number, each.values) for each in facts.front] == [(0, (0.5, 9.0)), (1, (0.3, 4.0))]
    assert facts.best is None


def test_a_page_can_be_written_before_the_first_epoch(files: SweepFiles) -> None:
    open_goals(files)

    assert "No trial has finished an epoch yet" in write_report(files.run).read_text(encoding="utf-8")
