from __future__ import annotations

from pathlib import Path

from search.model_display import score_remarks, score_table
from tests.search.screen import Screen
from trainable.score import ClassScore, Score


def test_remarks_name_files_and_classes() -> None:
    screen = Screen(width=40)
    unknown = {f"[red]{number}\x1b": 1 for number in range(7)}
    found = Score(0.75, {"cow": ClassScore(0.5, 2, 3, 1)}, 0, unknown, (4, 5), ordered=False)
    score_remarks(screen.console, found, Path("answer.csv"), Path("prediction.csv"))

    assert screen.text.count("\n") == 4
    assert r"of classes without an answer in answer.csv: 7 ('[red]0\x1b', '[red]1\x1b'" in screen.text
    assert r"'[red]4\x1b', ..)" in screen.text
    assert "without width or height in answer.csv, which nothing meets: 4" in screen.text
    assert "without width or height in prediction.csv, which nothing meets: 5" in screen.text
    assert "prediction.csv is not sorted" in screen.text


def test_class_names_are_text_in_the_table() -> None:
    screen = Screen()
    score_table(screen.console, Score(0.5, {"[red]\x1b": ClassScore(0.5, 2, 3, 1)}, 0, {}, (0, 0), ordered=True))

    assert r"[red]\x1b" in screen.text
