from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.crashes import CrashReasons, last_error

TASK = (
    "Failure # 1 (occurred at 2026-01-01)\n\x1b[36mray::Q.train()\x1b[39m (pid=1, ip=1)\n  File ...\nOSError: a cloud\n"
    "Failure # 2 (occurred at 2026-01-02)\n\x1b[36mray::Q.train()\x1b[39m (pid=2, ip=1)\n  File ...\n"
    "RuntimeError: the disk is on fire\n"
)
ACTOR = (
    "Failure # 1 (occurred at 2026-01-01)\nThe actor died unexpectedly before finishing this task.\n"
    "\tclass_name: Q\n\tactor_id: 12\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TASK, "crashed: RuntimeError: the disk is on fire"),
        (ACTOR, "crashed: The actor died unexpectedly before finishing this task."),
        ("Failure # 1 (occurred at x)\n", "crashed without a message"),
        ("", "crashed without a message"),
    ],
)
def test_the_newest_error_is_put_into_one_line(text: str, expected: str) -> None:
    assert last_error(text) == expected


def test_a_trial_is_looked_up_by_rays_id(tmp_path: Path) -> None:
    (tmp_path / "error.txt").write_text(TASK)
    reasons = CrashReasons()
    trials: list[Any] = [
        SimpleNamespace(trial_id="a", error_file=None),
        SimpleNamespace(trial_id="b", error_file=str(tmp_path / "error.txt")),
    ]
    reasons.on_step_begin(0, trials)
    assert reasons.reason("b") == "crashed: RuntimeError: the disk is on fire"
    assert reasons.reason("a") == reasons.reason("c") == "crashed, and Ray kept no error"
