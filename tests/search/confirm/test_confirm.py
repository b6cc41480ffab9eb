"""Confirmations under a real Ray, with a trainable that is quick and noisy."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from data_prep.errors import InputError, StoppedError, WorkFailedError
from search.confirm.options import ConfirmOptions
from search.confirm.result import Confirmation
from search.confirm.run import confirm
from search.confirm.verdict import Verdict
from search.drivers import driver
from search.options import Options
from tests.search.command_line import Trip
from tests.search.confirm.noisy_trainable import NoisyTrainable
from tests.search.confirm.sweeps import EPOCHS, narrow, swept
from tests.search.conftest import SweepFiles

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("local_ray")]


def run(files: SweepFiles, text: io.StringIO | None = None, **asked: Any) -> Confirmation:
    console = None if text is None else Console(file=text, width=200)
    return confirm(files.run, ConfirmOptions(**asked), Options(trainable=NoisyTrainable, console=console))


def stored(files: SweepFiles) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files.run / "confirm" / "confirm.json").read_text())
    return found


def checkpoints(files: SweepFiles) -> set[int]:
    """Numbers of the trainings that keep a checkpoint."""
    return {int(p.parent.name[6:]) for p in (files.run / "confirm" / "ray").rglob("checkpoint_*") if p.is_dir()}


@pytest.fixture(scope="module")
def clear(tmp_path_factory: pytest.TempPathFactory, local_ray: None) -> tuple[SweepFiles, Confirmation, str]:
    """A sweep whose best are much better than its default."""
    files, text = SweepFiles(tmp_path_factory.mktemp("clear")), io.StringIO()
    narrow(files, 0.3, 0.95)
    swept(files, [0.5, 0.7, 0.8, 0.6])
    return files, run(files, text), text.getvalue()


def test_a_clear_winner_is_promoted_after_few_seeds(clear: tuple[SweepFiles, Confirmation, str]) -> None:
    files, found, _ = clear
    assert found.verdict == Verdict.PROMOTE
    assert found.look == 2
    best = max(found.rows, key=lambda row: row.mean or 0)
    assert found.trial == best.trial != 0
    assert best.lower is not None
    assert best.lower > 0
    assert found.next_command is None
    assert [row.trial for row in found.rows] == [0, 2, 1, 3]
    assert len(files.epochs()) == 4 * 2 * EPOCHS


def test_workers_are_reused(clear: tuple[SweepFiles, Confirmation, str]) -> None:
    assert len({pid for _, _, pid in clear[0].epochs()}) <= 2


def test_what_it_leaves(clear: tuple[SweepFiles, Confirmation, str]) -> None:
    files, found, _ = clear
    table = pd.read_csv(files.run / "confirm" / "results.csv")
    assert list(table.trial) == [0, 2, 1, 3] * 2
    assert list(table.seed) == [41] * 4 + [42] * 4
    for row in found.rows:
        assert row.mean == pytest.approx(table[table.trial == row.trial].value.mean())
        assert row.sd == pytest.approx(table[table.trial == row.trial].value.std())
    assert stored(files)["result"] == found.as_dict()
    winner = found.rows.index(found.row(found.trial or 0))
    assert checkpoints(files) == {winner}
    assert found.checkpoint is not None
    assert json.loads(Path(found.checkpoint, "checkpoint.json").read_text())["epoch"] == EPOCHS


def test_progress_is_plain_lines(clear: tuple[SweepFiles, Confirmation, str]) -> None:
    text = clear[2]
    assert "default, seed 41: starts\n" in text
    assert "trial 2, seed 42: fitness 0." in text
    assert f"epoch {EPOCHS}/{EPOCHS}" in text
    assert "ETA 0:00:0" in text


def test_one_that_is_decided_trains_nothing_more(clear: tuple[SweepFiles, Confirmation, str]) -> None:
    files, found, _ = clear
    before = files.epochs()
    assert run(files) == found
    assert files.epochs() == before


def test_noise_is_undecided_and_more_seeds_go_on(files: SweepFiles) -> None:
    narrow(files, 0.8, 0.81)
    swept(files, [0.5, 0.8, 0.6], momentum=0.8, trials=3)
    found = run(files, max_seeds=3)
    assert (found.verdict, found.trial, found.look) == (Verdict.UNDECIDED, None, 3)
    assert found.next_command == f"hypsweep confirm {files.run} --max-seeds 6"
    assert checkpoints(files) == {0, 1, 2}  # those with the first seed
    before = files.epochs()
    again = run(files, max_seeds=4)
    assert (again.verdict, again.look) == (Verdict.UNDECIDED, 4)
    assert stored(files)["looks"] == [2, 3, 4]
    assert len(files.epochs()) == len(before) + 3 * EPOCHS


def test_a_hyp_that_diverges_is_out_and_named(files: SweepFiles) -> None:
    narrow(files, 0.8, 0.81)
    swept(files, [0.5, 0.8], momentum=0.8, trials=2)
    files.switch("diverge_1")
    found = run(files)
    assert (found.verdict, found.trial) == (Verdict.KEEP_DEFAULT, 0)
    assert found.row(1).lost == 1
    assert found.failures == ("trial 1 was lost with seed 41: diverged at epoch 2: the loss is NaN",)


def test_a_training_that_crashes_for_good_ends_it_and_is_repeated_alone(files: SweepFiles) -> None:
    narrow(files, 0.3, 0.95)
    swept(files, [0.5, 0.9], trials=2, max_failures=1, max_concurrent=1)
    files.switch("crash_2", "always")
    with pytest.raises(WorkFailedError, match=r"default, seed 42: crashed: .*on fire; go on with `hypsweep confirm"):
        run(files, max_seeds=2)
    assert "result" not in stored(files)
    assert len(stored(files)["trainings"]) == 2
    (files.folder / "crash_2").unlink()
    before = files.epochs()
    assert [row.seeds for row in run(files, max_seeds=2).rows] == [2, 2]
    assert files.epochs()[len(before)][:2] == (2, 2)  # from its checkpoint
    assert not {(number, epoch) for number, epoch, _ in files.epochs()[len(before) :]} & {(0, 1), (1, 1), (2, 1)}


def test_a_passing_crash_costs_nothing(files: SweepFiles) -> None:
    narrow(files, 0.3, 0.95)
    swept(files, [0.5, 0.9], trials=2)
    files.switch("kill_1", "1")
    found = run(files, max_seeds=2)
    assert [row.seeds for row in found.rows] == [2, 2]
    assert files.epochs_of(1) == [1, 2, 2, 3]


def test_a_data_set_that_is_gone_ends_it(files: SweepFiles) -> None:
    swept(files, [0.5, 0.9], trials=2)
    files.switch("gone_0")
    with pytest.raises(InputError, match=r"images is gone.*go on with `hypsweep confirm"):
        run(files)


def test_a_folder_in_use_is_refused(files: SweepFiles) -> None:
    swept(files, [0.5, 0.9], trials=2)
    with driver(files.run), pytest.raises(InputError, match="is in use"):
        run(files)
    assert not (files.run / "confirm").exists()


def test_a_metric_that_is_not_reported_ends_it_at_once(files: SweepFiles) -> None:
    swept(files, [0.5, 0.9], trials=2)
    with pytest.raises(InputError, match="metric: a trial reports no `map75`: choose one of"):
        run(files, metric="map75")


def test_ctrl_c_winds_down_and_the_same_command_goes_on(files: SweepFiles) -> None:
    narrow(files, 0.3, 0.95)
    swept(files, [0.5, 0.9], trials=2)
    text = Trip()
    with pytest.raises(StoppedError, match=f"the confirmation was stopped; go on with `hypsweep confirm {files.run}`"):
        run(files, text, max_seeds=2)
    assert "Winding down to the last checkpoints" in text.getvalue()
    before = files.epochs()
    assert len(before) < 2 * 2 * EPOCHS
    assert [row.seeds for row in run(files, max_seeds=2).rows] == [2, 2]
    again = {(number, epoch) for number, epoch, _ in files.epochs()[len(before) :]}
    twice = again & {(number, epoch) for number, epoch, _ in before}
    assert all(epoch > 1 for _, epoch in twice)  # at most the epochs whose checkpoint was not whole yet
