"""What surrounds the final training; the training itself is in tests/trainable/test_final.py and in end_to_end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

import search.promote
from data_prep.errors import InputError, WorkFailedError
from search.drivers import DRIVERS
from search.promote import PromoteOptions, promote
from search.results import read_run
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.test_results import add, finish_run
from trainable.hyp import read_hyp
from trainable.weights import build_model, load_state, save_stripped

pytestmark = pytest.mark.timeout(60)
TRAIN = {"epochs": 2, "model": "yolov5n", "image_size": 64, "device": "cpu"}
CONTENT = {"weights.pt", "hyp.yaml", "train.yaml", "metrics.json"}


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
    found = promote(won.run)
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
    assert 0 <= promote(won.run).metrics["test"]["map50"] <= 1


def test_the_same_promotion_has_the_same_name_and_another_one_its_own(won: SweepFiles, trainer: Trainer) -> None:
    promote(won.run)
    promote(won.run)
    promote(won.run, PromoteOptions(epochs=5))
    one, same, other = trainer.names
    assert one == same != other


def test_an_older_promotion_is_replaced_as_a_whole(won: SweepFiles, trainer: Trainer) -> None:
    promoted = won.run / "promoted"
    promote(won.run)
    (promoted / "notes.txt").write_text("of the older one")
    promote(won.run, PromoteOptions(epochs=5))
    assert {p.name for p in promoted.iterdir()} == CONTENT
    assert json.loads((promoted / "metrics.json").read_text())["epochs"] == 5
    assert not list(won.run.glob(".promoted*"))


def test_a_failed_training_leaves_the_older_promotion_and_nothing_else(won: SweepFiles, trainer: Trainer) -> None:
    promote(won.run)
    before = folder(won.run)
    trainer.error = WorkFailedError("the final training failed: diverged")
    with pytest.raises(WorkFailedError, match="diverged"):
        promote(won.run)
    assert folder(won.run) == before


def test_weights_that_would_be_too_large_are_refused_before_the_training(won: SweepFiles, trainer: Trainer) -> None:
    before = folder(won.run)
    with pytest.raises(InputError, match=r"yolov5n makes weights of 3\.7 MB and 3 MB are allowed.*--max-megabytes"):
        promote(won.run, PromoteOptions(max_megabytes=3))
    assert trainer.names == []
    assert folder(won.run) == before
    assert promote(won.run, PromoteOptions(max_megabytes=3.8)).metrics["megabytes"] == pytest.approx(3.7, abs=0.05)


def test_a_sweep_without_a_finished_epoch_has_no_winner(files: SweepFiles, trainer: Trainer) -> None:
    study, _ = open_tiny(files)
    finish_run(files, study)
    before = folder(files.run)
    with pytest.raises(WorkFailedError, match=f"hypsweep resume {files.run}"):
        promote(files.run)
    assert folder(files.run) == before
