from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.crashes import CRASH, DISK, CrashReasons, explain, last_error

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
        (TASK, "RuntimeError: the disk is on fire"),
        (ACTOR, "The actor died unexpectedly before finishing this task."),
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
        SimpleNamespace(
            trial_id="b",
            error_file=str(tmp_path / "error.txt"),
            storage=SimpleNamespace(trial_fs_path="/store/trial_00001"),
        ),
    ]
    reasons.on_step_begin(0, trials)
    assert reasons.crash("b") == ("crashed: RuntimeError: the disk is on fire", CRASH)
    assert reasons.crash("a") == reasons.crash("c") == ("crashed, and Ray kept no error", CRASH)


@pytest.mark.parametrize(
    ("error", "expected", "kind"),
    [
        ("RuntimeError: a cloud", "crashed: RuntimeError: a cloud", CRASH),
        ("data_prep.errors.WorkFailedError: /a: is gone; b.", "crashed: /a: is gone; b.", CRASH),
        ("data_prep.errors.DiskFullError: /a: no room; free some disk.", "crashed: /a: no room; free some disk.", DISK),
        (
            "OSError: [Errno 28] Error writing. Detail: [errno 28] No space left on device",
            (
                "crashed: /store/trial_00001: a checkpoint cannot be stored there (OSError: [Errno 28] Error writing. "
                "Detail: [errno 28] No space left on device): free some disk, or keep fewer checkpoints"
            ),
            DISK,
        ),
    ],
)
def test_a_full_disk_is_named_with_its_folder_and_a_remedy(error: str, expected: str, kind: str) -> None:
    assert explain(error, "/store/trial_00001") == (expected, kind)
