"""Weights out of a checkpoint: those that were validated in its epoch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from pyarrow.fs import FileSystem, LocalFileSystem, SubTreeFileSystem

import trainable.checkpoint_weights
from data_prep.errors import WorkFailedError
from trainable.checkpoint_weights import weights_of_checkpoint
from trainable.detector import load_detector
from trainable.hyp import Hyp
from trainable.judge import judge
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings
from trainable.weights import load_state

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def trained(settings: TrainSettings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EpochLoop]:
    """A checkpoint after one epoch, and the loop that wrote it."""
    loop = EpochLoop(replace(settings, epochs=1), Hyp())
    loop.run_epoch()
    folder = tmp_path_factory.mktemp("trained") / "checkpoint"
    loop.save(folder)
    return folder, loop


def test_they_are_the_ema_in_half_precision(trained: tuple[Path, EpochLoop], tmp_path: Path) -> None:
    place, loop = trained
    found = weights_of_checkpoint(str(place), tmp_path / "w.pt")
    assert found == loop.settings
    assert yaml.safe_load((tmp_path / "train.yaml").read_text()) == loop.settings.as_dict()
    ema = loop.parts.ema.ema.state_dict()
    assert any(not torch.equal(value, ema[name]) for name, value in loop.parts.model.state_dict().items())
    for name, value in load_state(tmp_path / "w.pt").items():
        assert torch.equal(value, ema[name].half().float() if ema[name].is_floating_point() else ema[name]), name
    detector = load_detector(tmp_path / "w.pt", device="cpu")
    assert (detector.definition, detector.names) == ("yolov5n", loop.parts.data.names)
    judged = judge(tmp_path / "w.pt", found, loop.hyp, data=found.data, split="val")
    assert judged.as_dict()["map50"] == pytest.approx(loop.last["map50"], abs=0.02)


def test_from_a_bucket(trained: tuple[Path, EpochLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that is not the machine's own: what lies there is fetched first."""
    place, _ = trained
    bucket = SubTreeFileSystem(str(place.parent), LocalFileSystem())

    class Buckets:
        @staticmethod
        def from_uri(uri: str) -> tuple[FileSystem, str]:
            assert uri == "s3://bucket/checkpoint"
            return bucket, "checkpoint"

    monkeypatch.setattr(trainable.checkpoint_weights, "FileSystem", Buckets)
    weights_of_checkpoint("s3://bucket/checkpoint", tmp_path / "w.pt")
    assert load_state(tmp_path / "w.pt")


def test_what_is_no_checkpoint(trained: tuple[Path, EpochLoop], tmp_path: Path) -> None:
    with pytest.raises(WorkFailedError, match="holds no whole checkpoint"):
        weights_of_checkpoint(str(tmp_path / "gone"), tmp_path / "w.pt")
    place = tmp_path / "cut"
    place.mkdir()
    (place / "checkpoint.json").write_text(json.dumps({"epoch": 1}))
    with pytest.raises(WorkFailedError, match="holds no whole checkpoint"):
        weights_of_checkpoint(str(place), tmp_path / "w.pt")
    assert not (tmp_path / "w.pt").exists()
