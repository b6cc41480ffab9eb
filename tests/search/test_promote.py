"""What surrounds the final training; the training itself is in tests/trainable/test_final.py and in end_to_end."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import yaml
from optuna.trial import TrialState

import search.promote
from data_prep.errors import DiskFullError, InputError, WorkFailedError
from search.confirm.opening import open_confirmation
from search.confirm.options import ConfirmOptions
from search.confirm.result import Confirmation
from search.confirm.verdict import Verdict
from search.drivers import DRIVERS
from search.paths import write_text
from search.promote import PromoteOptions, promote
from search.results import read_run
from tests.search.confirm.test_ledger import train
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add, finish_run
from trainable.hyp import read_hyp
from trainable.onnx_check import Tolerance
from trainable.weights import build_model, load_state, save_stripped

pytestmark = pytest.mark.timeout(60)
TRAIN = {"epochs": 2, "model": "yolov5n", "image_size": 64, "device": "cpu"}
AS_IT_IS = PromoteOptions(confirm=None, onnx=False)
CONTENT = {"weights.pt", "hyp.yaml", "train.yaml", "metrics.json", "model_card.md"}


@pytest.fixture
def won(files: SweepFiles, shapes: Path) -> SweepFiles:
    """A sweep whose second trial won."""
    changes: dict[str, Any] = {"data": str(shapes), "train": TRAIN}
    study, _ = open_tiny(files, **changes)
    add(study, TrialState.COMPLETE, [0.1, 0.2])
    add(study, TrialState.COMPLETE, [0.1, 0.4])
    add(study, TrialState.PRUNED, [0.9])
    finish_run(files, study, **changes)
    return files


class Trainer:
    """Stands where the training on Ray Train does: an untrained model is as good for what is done with it."""

    def __init__(self, untrained: Path) -> None:
        self._untrained = untrained
        self.names: list[str] = []
        self.error: Exception | None = None

    def __call__(
        self, config: Any, run_dir: Path, name: str, settings: Any, hyp: Any, weights: Path, options: PromoteOptions
    ) -> dict[str, Any]:
        self.names.append(name)
        self.settings, self.hyp = settings, hyp
        if self.error is not None:
            raise self.error
        shutil.copyfile(self._untrained, weights)
        return {"epoch": settings.epochs}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("untrained") / "w.pt"
    save_stripped(build_model("yolov5n", 2), path)
    return path


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, untrained: Path) -> Trainer:
    stand_in = Trainer(untrained)
    monkeypatch.setattr(search.promote, "_train", stand_in)
    return stand_in


def folder(run: Path) -> dict[str, bytes]:
    """Every file, but for the locks that say who was at work."""
    found = (p for p in run.rglob("*") if p.is_file() and p.parent.name != DRIVERS)
    return {str(p.relative_to(run)): p.read_bytes() for p in found}


def test_the_best_complete_trial_is_trained_on_all_pictures(won: SweepFiles, trainer: Trainer) -> None:
    found = promote(won.run, AS_IT_IS)
    best = read_run(won.run)[1].trials[1]
    assert (found.trial, found.folder) == (1, won.run / "promoted")
    assert trainer.hyp.lr0 == best.params["lr0"] == read_hyp(found.folder / "hyp.yaml").lr0
    assert (trainer.settings.train_split, trainer.settings.val_split, trainer.settings.epochs) == ("full", None, 2)
    assert yaml.safe_load((found.folder / "train.yaml").read_text()) == trainer.settings.as_dict()
    assert {p.name for p in found.folder.iterdir()} == CONTENT
    assert load_state(found.folder / "weights.pt")
    metrics = json.loads((found.folder / "metrics.json").read_text())
    assert metrics == found.metrics
    assert (metrics["sweep"], metrics["trial"], metrics["trial_value"]) == ("tiny", 1, 0.4)
    assert metrics["test"] is None
    assert found.folder.stat().st_mode & 0o777 == 0o755


def test_only_a_test_split_gives_figures(won: SweepFiles, shapes: Path, trainer: Trainer) -> None:
    data = won.folder / "with_test.yaml"
    data.write_text(yaml.safe_dump({**yaml.safe_load(shapes.read_text()), "test": "images/val"}))
    config = yaml.safe_load((won.run / "sweep.yaml").read_text())
    (won.run / "sweep.yaml").write_text(yaml.safe_dump(config | {"data": str(data)}))
    assert 0 <= promote(won.run, AS_IT_IS).metrics["test"]["map50"] <= 1


def test_the_same_promotion_has_the_same_name_and_another_one_its_own(won: SweepFiles, trainer: Trainer) -> None:
    promote(won.run, AS_IT_IS)
    promote(won.run, AS_IT_IS)
    promote(won.run, PromoteOptions(confirm=None, epochs=5, onnx=False))
    one, same, other = trainer.names
    assert one == same != other


def test_an_older_promotion_is_replaced_as_a_whole(won: SweepFiles, trainer: Trainer) -> None:
    promoted = won.run / "promoted"
    promote(won.run, AS_IT_IS)
    (promoted / "notes.txt").write_text("of the older one")
    promote(won.run, PromoteOptions(confirm=None, epochs=5, onnx=False))
    assert {p.name for p in promoted.iterdir()} == CONTENT
    assert json.loads((promoted / "metrics.json").read_text())["epochs"] == 5
    assert not list(won.run.glob(".promoted*"))


def test_a_failed_training_leaves_the_older_promotion_and_nothing_else(won: SweepFiles, trainer: Trainer) -> None:
    promote(won.run, AS_IT_IS)
    before = folder(won.run)
    trainer.error = WorkFailedError("the final training failed: diverged")
    with pytest.raises(WorkFailedError, match="diverged"):
        promote(won.run, AS_IT_IS)
    assert folder(won.run) == before


def test_the_onnx_file_stands_beside_the_weights(won: SweepFiles, trainer: Trainer) -> None:
    said: list[str] = []
    found = promote(won.run, PromoteOptions(confirm=None, on_finish=said.append))
    assert {p.name for p in found.folder.iterdir()} == CONTENT | {"weights.onnx"}
    onnx = found.metrics["onnx"]
    assert (onnx["path"], onnx["image_size"], onnx["check"]["pictures"]) == ("weights.onnx", [64, 64], 4)
    assert onnx == json.loads((found.folder / "metrics.json").read_text())["onnx"]
    assert onnxruntime.InferenceSession(found.folder / "weights.onnx").get_inputs()[0].shape == [1, 3, 64, 64]
    assert said == ["exporting weights.onnx, and running it beside PyTorch"]
    card = (found.folder / "model_card.md").read_text()
    assert f"{onnx['check']['boxes']:.2g} px" in card
    assert f"sha256 `{hashlib.sha256((found.folder / 'weights.pt').read_bytes()).hexdigest()}`" in card
    assert "None were chosen: nothing was confirmed" in card
    assert found.metrics["thresholds"] is None
    assert "nothing was confirmed" in found.metrics["thresholds_missing"]


def test_an_onnx_file_that_is_off_leaves_the_older_promotion_and_nothing_else(
    won: SweepFiles, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(won.run, AS_IT_IS)
    before = folder(won.run)
    monkeypatch.setattr("trainable.onnx_check.Tolerance.of", lambda **_: Tolerance(0, 0))
    with pytest.raises(WorkFailedError, match=r"off PyTorch by .*`hypsweep promote .* --no-onnx` leaves it out"):
        promote(won.run, PromoteOptions(confirm=None))
    assert folder(won.run) == before


def test_a_full_disk_leaves_the_older_promotion_and_nothing_else(
    won: SweepFiles, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(won.run, AS_IT_IS)
    before = folder(won.run)

    def full(path: Path, content: str) -> None:
        if path.name == "model_card.md":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_text(path, content)

    monkeypatch.setattr("search.promotion.finish.write_text", full)
    with pytest.raises(DiskFullError, match=f"{won.run}: what was promoted cannot be written: the disk is full"):
        promote(won.run, AS_IT_IS)
    assert folder(won.run) == before


def test_an_unknown_threshold_metric_is_refused_before_the_training(won: SweepFiles, trainer: Trainer) -> None:
    with pytest.raises(InputError, match="speed"):
        promote(won.run, PromoteOptions(confirm=None, threshold_metric="speed"))
    assert trainer.names == []


def test_weights_that_would_be_too_large_are_refused_before_the_training(won: SweepFiles, trainer: Trainer) -> None:
    before = folder(won.run)
    with pytest.raises(InputError, match=r"yolov5n makes weights of 3\.7 MB and 3 MB are allowed.*--max-megabytes"):
        promote(won.run, PromoteOptions(confirm=None, max_megabytes=3))
    assert trainer.names == []
    assert folder(won.run) == before
    assert promote(won.run, PromoteOptions(confirm=None, max_megabytes=3.8)).metrics["megabytes"] == pytest.approx(
        3.7, abs=0.05
    )


def test_a_sweep_without_a_finished_epoch_has_no_winner(files: SweepFiles, trainer: Trainer) -> None:
    study, _ = open_tiny(files)
    finish_run(files, study)
    before = folder(files.run)
    with pytest.raises(WorkFailedError, match=f"hypsweep resume {files.run}"):
        promote(files.run)
    assert folder(files.run) == before


# --- what a confirmation says ----------------------------------------------------------------------------------------


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts Ray fails: what is confirmed is not confirmed again."""

    def refuse(address: str | None) -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr("search.runtime.ray_runtime", refuse)


def confirmed(files: SweepFiles, means: dict[int, float | None], noise: float = 1e-4, **asked: Any) -> None:
    """Fill in a confirmation's trainings, as if they had been run."""
    work = open_confirmation(files.run, *read_run(files.run), ConfirmOptions(**asked))
    train(work.ledger, means, noise)


def test_the_confirmed_trial_is_promoted_whatever_the_sweep_thought(
    won: SweepFiles, trainer: Trainer, without_ray: None
) -> None:
    confirmed(won, {0: 0.2, 1: 0.3, 2: 0.4})
    heard: list[Confirmation] = []
    found = promote(won.run, PromoteOptions(on_confirmed=heard.append))
    assert found.trial == 2
    assert found.confirmation == heard[0]
    assert found.confirmation.verdict == Verdict.PROMOTE
    assert found.metrics["confirmation"]["rows"][2]["trial"] == 2
    assert trainer.hyp.lr0 == read_run(won.run)[1].trials[2].params["lr0"]
    assert "# Confirmed: better than the default hyp (+0.2" in (found.folder / "hyp.yaml").read_text()


def test_where_nothing_beats_the_default_the_default_is_trained(
    won: SweepFiles, trainer: Trainer, without_ray: None
) -> None:
    confirmed(won, {0: 0.3, 1: 0.2, 2: 0.2})
    found = promote(won.run)
    assert (found.trial, found.metrics["confirmation"]["verdict"]) == (0, "keep default")
    assert trainer.hyp.lr0 == read_run(won.run)[1].trials[0].params["lr0"]
    assert "# The default hyp is kept: over 2 seeds no candidate" in (found.folder / "hyp.yaml").read_text()


def test_what_is_undecided_is_refused_with_the_next_command(
    won: SweepFiles, trainer: Trainer, without_ray: None
) -> None:
    confirmed(won, {0: 0.2, 1: 0.2, 2: 0.2}, noise=0.1)
    command = f"hypsweep confirm {won.run} --max-seeds 12"
    with pytest.raises(WorkFailedError, match=rf"after 6 seeds it is undecided.*`{command}`.*--trial N"):
        promote(won.run)
    assert trainer.names == []
    assert not (won.run / "promoted").exists()


@pytest.mark.parametrize("options", [PromoteOptions(trial=1, onnx=False), AS_IT_IS])
def test_a_chosen_trial_and_the_best_as_it_is_need_no_confirmation(
    won: SweepFiles, trainer: Trainer, without_ray: None, options: PromoteOptions
) -> None:
    confirmed(won, {0: 0.2, 1: 0.2, 2: 0.2}, noise=0.1)
    found = promote(won.run, options)
    assert (found.trial, found.confirmation, found.metrics["confirmation"]) == (1, None, None)
    assert "# Not confirmed: " in (found.folder / "hyp.yaml").read_text()


def test_without_a_confirmation_one_is_run_first(won: SweepFiles, trainer: Trainer, without_ray: None) -> None:
    with pytest.raises(AssertionError, match="Ray was started"):
        promote(won.run)
    assert trainer.names == []


def test_the_final_training_has_the_epochs_that_were_confirmed(
    won: SweepFiles, trainer: Trainer, without_ray: None
) -> None:
    confirmed(won, {0: 0.2, 1: 0.3, 2: 0.4}, epochs=7)
    assert promote(won.run).metrics["epochs"] == 7
    assert promote(won.run, PromoteOptions(epochs=5)).metrics["epochs"] == 5


def test_a_default_that_failed_in_the_sweep_can_be_kept(
    files: SweepFiles, shapes: Path, trainer: Trainer, without_ray: None
) -> None:
    changes: dict[str, Any] = {"data": str(shapes), "train": TRAIN}
    study, _ = open_tiny(files, **changes)
    add(study, TrialState.FAIL, [], reason="crashed: a node was lost")
    add(study, TrialState.COMPLETE, [0.1, 0.4])
    finish_run(files, study, **changes)
    confirmed(files, {0: 0.5, 1: 0.2})
    found = promote(files.run)
    assert found.trial == 0
    assert found.metrics["trial_value"] == pytest.approx(0.5, abs=0.01)


def test_workers_without_room_are_refused_before_anything_is_confirmed(
    won: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search.promote.runtime, "ray_runtime", lambda _: nullcontext())
    monkeypatch.setattr(search.promote.runtime, "_alive", lambda: [{"NodeID": "0", "Resources": {"CPU": 4}}])
    monkeypatch.setattr(search.promote, "confirm", None)

    with pytest.raises(InputError, match="--workers 5: this machine has room for 4"):
        promote(won.run, PromoteOptions(workers=5))
    assert not (won.run / "promoted").exists()
