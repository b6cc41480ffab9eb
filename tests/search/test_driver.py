from __future__ import annotations

import pytest

from search.driver import _finder
from search.keys import LAST
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_checkpoints import put

EPOCHS = 9


@pytest.mark.parametrize(
    ("told", "stored", "found"),
    [
        (4, (3, 4), 4),
        (4, (4, 5), 4),  # epoch 5 was saved and a kill kept it from the study: it is trained again
        (4, (5,), None),
        (0, (1,), None),
        (8, (8, 9), 8),
        (9, (8, 9), 8),
    ],
)
def test_a_trial_goes_on_behind_what_the_study_knows(
    files: SweepFiles, told: int, stored: tuple[int, ...], found: int | None
) -> None:
    study, _ = open_tiny(files)
    number, root = study.draw().number, files.run / "ray"
    for epoch in range(1, told + 1):
        study.report(number, epoch, 0.1 * epoch)
        study.note(number, LAST, {"epoch": epoch})
    paths = {epoch: str(put(root, "session_000", number, f"checkpoint_{epoch:06d}", epoch)) for epoch in stored}
    assert _finder(str(root), study, EPOCHS)(number) == (None if found is None else paths[found])
