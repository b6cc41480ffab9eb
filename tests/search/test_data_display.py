from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.balance import Balance
from data_prep.compare import Comparison
from data_prep.findings import Finding, Kind, Policy
from data_prep.manifest import MANIFEST_NAME, Manifest, SplitSummary
from search import data_display
from search.data_display import comparison_summary, dataset_summary, findings_summary, picture_progress
from tests.search.screen import Screen


def test_where_there_is_no_terminal_a_stage_is_one_line() -> None:
    screen = Screen()
    with picture_progress(screen.console) as show:
        for stage in ("read", "write"):
            for done in range(1, 4):
                show(stage, done, 3)
    assert screen.text == "read: 3 done\nwrite: 3 done\n"


def test_a_terminal_has_a_bar_that_vanishes() -> None:
    screen = Screen(terminal=True)
    with picture_progress(screen.console) as show:
        show("read", 1, 3)
    assert "read" in screen.text
    assert "1/3" in screen.text
    assert screen.text.endswith("\x1b[2K")  # the line is erased


def test_a_stage_that_begins_anew_gets_a_bar_of_its_own() -> None:
    screen = Screen(terminal=True)
    with picture_progress(screen.console) as show:
        for done, total in ((1, 2), (2, 2), (1, 2)):
            show("read", done, total)
    assert "0:00:00" not in screen.text.rsplit("1/2", 1)[1]  # that is the first bar's


def test_a_long_stage_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, clock = Screen(), iter(range(0, 1000, 10))
    monkeypatch.setattr(data_display.time, "monotonic", lambda: next(clock))
    with picture_progress(screen.console) as show:
        show("look", 1, 1)
        for done in range(1, 5):  # a second source
            show("look", done, 4)
    # 20 seconds after the first of four, three are done
    assert screen.text == "look: 1 done\nlook: 3 of 4, 0:00:07 left\nlook: 4 done\n"


@pytest.mark.parametrize(("classes", "shown"), [(2, ["class 0", "class 1"]), (80, ["boxes", "240"])])
def test_a_data_set_of_many_classes_fits_the_screen(tmp_path: Path, classes: int, shown: list[str]) -> None:
    names = tuple(f"class {number}" for number in range(classes))
    summary = SplitSummary(images=5, background=1, boxes=dict.fromkeys(names, 3), list_sha256="")
    manifest = Manifest(
        names=names,
        seed=1,
        config={},
        inputs_sha256="",
        findings={},
        groups=1,
        groups_sha256="",
        splits={"valid": summary},
    )
    (tmp_path / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    screen = Screen(80)
    dataset_summary(screen.console, tmp_path / "data.yaml")
    assert all(word in screen.text for word in ("valid", "background", *shown))


def test_the_gravest_findings_come_first_and_the_rest_is_counted() -> None:
    notes = [Finding(Kind.CROWD_BOX, f"n{number}", "", policy=Policy.DROP) for number in range(20)]
    screen = Screen(80)
    findings_summary(screen.console, [*notes, Finding(Kind.UNREADABLE_IMAGE, "a", "[cut]", policy=Policy.FAIL)])
    listed = [line for line in screen.text.splitlines() if ": " in line]
    assert listed[0] == "error: unreadable_image: a: [cut]"
    assert len(listed) == 20
    assert screen.text.endswith("... and 1 more; --out FILE writes all of them\n")


def test_nothing_found_shows_no_table() -> None:
    screen = Screen()
    findings_summary(screen.console, [])
    assert screen.text == ""


def test_leaks_are_listed_up_to_a_point_and_counted() -> None:
    leaks = tuple(Finding(Kind.NEAR_DUPLICATE, f"train/{number}.jpg", "looks") for number in range(21))
    screen = Screen(80)
    comparison_summary(screen.console, Comparison(Balance((), (), ()), leaks, 3, 1))
    assert screen.text.count("leak: ") == 20
    assert "... and 1 more; --json lists all of them\n21 pictures look the same" in screen.text
    assert "3 groups stand on more than one side" in screen.text
    assert "1 findings took something out" in screen.text
