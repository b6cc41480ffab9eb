from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from data_prep.errors import InputError
from search.report import write_report
from search.study import SweepStudy
from tests.search.command_line import Cli
from tests.search.conftest import SweepFiles

pytestmark = pytest.mark.timeout(60)
Write = Callable[..., SweepStudy]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_has_every_trial_every_parameter_and_needs_nothing_else(finished: Write, files: SweepFiles) -> None:
    finished()
    page = write_report(files.run).read_text(encoding="utf-8")

    parsed = _Tags()
    parsed.feed(page)
    assert not parsed.open
    assert not parsed.seen & {"script", "link", "iframe"}
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", page)
    rows = re.search(r'<section id="trials">.*?</section>', page, re.DOTALL)
    assert rows is not None
    assert rows[0].count("<tr>") == 21  # and the head
    yields = re.search(r'<section id="samplers">.*?</section>', page, re.DOTALL)
    assert yields is not None
    assert "<td>random</td>" in yields[0]
    assert "<td>default</td>" in yields[0]
    for title in ("lr0", "momentum"):
        assert f"<figcaption>{title}</figcaption>" in page
    assert "diverged &lt;b&gt;badly&lt;/b&gt;" in page


def test_a_sweep_that_has_just_begun_has_a_page(finished: Write, files: SweepFiles) -> None:
    finished(trials=1)
    assert "Best: trial 0" in write_report(files.run).read_text(encoding="utf-8")


def test_choices_are_plotted_by_their_place_and_named(files: SweepFiles, finished: Write) -> None:
    text = "parameters:\n  momentum: {low: 0.1, high: 0.98}\n  optimizer: {choices: [SGD, AdamW]}\n"
    (files.folder / "space.yaml").write_text(text)
    finished(trials=6)
    assert "optimizer: 1 SGD, 2 AdamW" in write_report(files.run).read_text(encoding="utf-8")


def test_where_it_cannot_be_written_it_says_so(finished: Write, files: SweepFiles, tmp_path: Path) -> None:
    finished(trials=2)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(files.run, tmp_path / "file" / "report.html")


def test_the_command_names_the_file(finished: Write, files: SweepFiles, cli: Cli) -> None:
    finished(trials=3)
    ended = cli("report", files.run)
    assert ended.code == 0
    assert ended.out.strip() == str(files.run / "report.html")
    assert cli("report", files.folder).code == 2
