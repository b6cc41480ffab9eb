from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from data_prep.errors import InputError, WorkFailedError
from search.confirm.opening import Work, open_confirmation, put_aside
from search.confirm.options import ConfirmOptions
from search.confirm.seed_ledger import Training
from search.results import read_run
from tests.search.confirm.sweeps import EPOCHS, POOR, swept
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add, finish_run

VALUES = [0.2, 0.1, 0.5, 0.3, 0.4]


def opened(files: SweepFiles, **asked: object) -> Work:
    return open_confirmation(files.run, *read_run(files.run), ConfirmOptions(**asked))  # type: ignore[arg-type]


def test_the_best_of_the_sweep_are_compared_with_the_default(files: SweepFiles) -> None:
    plan = opened(swept(files, VALUES)).ledger.plan
    assert plan.trials == (0, 2, 4, 3)
    assert plan.params[0]["momentum"] == POOR
    assert plan.swept == {0: 0.2, 2: 0.5, 4: 0.4, 3: 0.3}
    assert (plan.metric, plan.mode, plan.epochs, plan.first_seed) == ("fitness", "max", EPOCHS, 41)
    assert opened(files, top_k=1).ledger.plan.trials == (0, 2)


def test_trials_that_were_stopped_early_stand_behind_complete_ones(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    for state, values in (
        (TrialState.COMPLETE, [0.1] * 9),
        (TrialState.PRUNED, [0.9]),
        (TrialState.PRUNED, [0.1, 0.8]),
        (TrialState.COMPLETE, [0.1] * 9),
        (TrialState.FAIL, [0.9] * 5),
    ):
        add(study, state, values)
    finish_run(files, study)
    assert opened(files).ledger.plan.trials == (0, 3, 2, 1)


def test_where_only_the_default_was_trained_there_is_nothing_to_compare(files: SweepFiles) -> None:
    assert opened(swept(files, [0.2])).ledger.is_over()


def test_a_sweep_without_a_finished_epoch_is_refused(files: SweepFiles) -> None:
    with pytest.raises(WorkFailedError, match="hypsweep resume"):
        opened(swept(files, []))


def test_a_metric_of_which_nobody_knows_the_direction_is_refused(files: SweepFiles) -> None:
    with pytest.raises(InputError, match=r"--metric loss: choose fitness, .*map75"):
        opened(swept(files, VALUES), metric="loss")
    assert opened(files, metric="map75").ledger.plan.mode == "max"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"top_k": 0}, "--top-k 0"),
        ({"seeds": 1}, "--seeds 1: .* at least 2"),
        ({"smallest_gain": 0.0}, "--smallest-gain 0"),
        ({"seeds": 4, "max_seeds": 3}, "--max-seeds 3 is less than --seeds 4"),
    ],
)
def test_numbers_that_are_too_small_are_named(files: SweepFiles, asked: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        opened(swept(files, VALUES), **asked)


def begun(files: SweepFiles, **asked: object) -> Work:
    """A confirmation of which the first training is done."""
    work = opened(swept(files, VALUES), **asked)
    trial, place = work.ledger.next_training(()) or (0, 0)
    work.ledger.record(Training(trial=trial, place=place, seed=41, value=0.2, epochs=EPOCHS))
    return work


def test_one_that_was_begun_goes_on_as_it_was_begun(files: SweepFiles) -> None:
    begun(files, top_k=2, epochs=5, smallest_gain=0.02, max_seeds=4)
    again = opened(files)
    assert (again.ledger.plan.trials, again.ledger.plan.epochs) == ((0, 2, 4), 5)
    assert (again.ledger.rule.smallest_gain, again.ledger.rule.most) == (0.02, 4)
    assert len(again.ledger.trainings) == 1
    assert opened(files, max_seeds=12).ledger.rule.most == 12


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"top_k": 2}, "trials 2, 4, 3, and the sweep's best are now 2, 4"),
        ({"epochs": 9}, f"epochs {EPOCHS}, not 9"),
        ({"metric": "map50"}, "metric fitness, not map50"),
        ({"smallest_gain": 0.5}, "smallest gain 0.01, not 0.5"),
    ],
)
def test_another_one_in_the_folder_is_refused_by_name(
    files: SweepFiles, asked: dict[str, object], message: str
) -> None:
    begun(files)
    with pytest.raises(InputError, match=rf"{message}: .*--anew"):
        opened(files, **asked)


def test_a_sweep_that_has_gone_on_is_said_so(files: SweepFiles) -> None:
    begun(files)
    (files.run / "study.journal").unlink()
    (files.run / "drivers" / "study.key").unlink(missing_ok=True)
    for path in (files.run / "drivers").glob("*"):
        path.unlink()
    swept(files, [*VALUES, 0.6])
    with pytest.raises(InputError, match="the sweep's best are now 5, 2, 4"):
        opened(files)


def test_a_new_one_uses_seeds_that_the_old_one_did_not(files: SweepFiles) -> None:
    begun(files)
    work = opened(files, anew=True)
    assert work.ledger.plan.first_seed == 43  # the first round of the old one had 41 and 42
    assert work.ledger.trainings == ()
    put_aside(work)
    assert [path.name for path in sorted(work.ledger.path.parent.iterdir())] == ["confirm_seeds_from_41.json"]


def test_on_shared_storage_each_sweep_has_its_own_place(files: SweepFiles, tmp_path: Path) -> None:
    work = opened(swept(files, VALUES, storage_path=str(tmp_path / "shared")))
    assert work.root.startswith(f"{tmp_path}/shared/tiny-{work.study.user_attrs['key']}-confirm/")
