from __future__ import annotations

from typing import Any

import pytest

from data_prep.errors import InputError
from trainable.settings import TrainSettings


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"optimizer": "sgd"}, "SGD"),
        ({"lr_schedule": "step"}, "cosine"),
        ({"model": "yolov9"}, "yolov9.*yolov5m6"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": -1}, "batch_size"),
        ({"batch_size": True}, "batch_size is True"),
        ({"workers": -1}, "workers"),
        ({"weights_sha256": "0" * 64}, "weights_sha256 stands without"),
        ({"seed": 2**32}, "seed"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"imgsz": 640}, "imgsz"),
    ],
)
def test_wrong_settings_name_the_key(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        TrainSettings.from_mapping({"data": "data.yaml", "epochs": 3, **change})


def test_data_and_epochs_are_needed() -> None:
    with pytest.raises(InputError, match=r"train\.data is missing"):
        TrainSettings.from_mapping({"epochs": 3})


def test_settings_survive_their_mapping() -> None:
    settings = TrainSettings(data="d.yaml", epochs=2, optimizer="AdamW")

    assert TrainSettings.from_mapping(settings.as_dict()) == settings
