from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from data_prep.errors import InputError
from trainable.hyp import Hyp
from trainable.preflight import preflight
from trainable.settings import TrainSettings


def test_what_can_be_trained_passes(settings: TrainSettings) -> None:
    preflight(settings, Hyp())


def test_weights_of_another_kind_are_named(settings: TrainSettings, tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"no weights")

    with pytest.raises(InputError, match=r"w\.pt: is no YOLOv5 checkpoint"):
        preflight(dataclasses.replace(settings, weights=str(weights)), Hyp())


@pytest.mark.parametrize("change", [{"train_split": "test"}, {"val_split": "test"}, {"device": "cuda:9"}])
def test_splits_and_device_are_named(settings: TrainSettings, change: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(change.values()))):
        preflight(dataclasses.replace(settings, **change), Hyp())
