from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from data_prep.errors import InputError
from search.compare.arms import SETTINGS, checked_arm, split_arm
from search.config import SweepConfig
from tests.search.conftest import SweepFiles


def config(files: SweepFiles) -> SweepConfig:
    """A sweep's configuration with pictures to train on."""
    for split in ("train", "val"):
        (files.folder / split).mkdir()
        Image.new("RGB", (8, 8)).save(files.folder / split / "a.jpg")
    return files.config()


def test_hyps_and_settings_are_told_apart() -> None:
    arm = split_arm("Adam", {"optimizer": "Adam", "lr0": 0.001, "lr_schedule": "cosine"})
    assert arm.hyp == {"lr0": 0.001}
    assert arm.train == {"optimizer": "Adam", "lr_schedule": "cosine"}
    assert arm.with_values({"lr0": 0.002}, {}).sets == {"optimizer": "Adam", "lr_schedule": "cosine", "lr0": 0.002}


def test_without_pretraining_there_are_no_weights() -> None:
    assert split_arm("scratch", {"pretrained": False}).train == {"weights": None, "weights_sha256": None}
    assert split_arm("fine", {"pretrained": True}).train == {}


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        ({"optimiser": "SGD"}, r"arms\.a\.optimiser is neither a hyp.*did you mean optimizer\?"),
        ({"val_split": "x"}, r"arms\.a\.val_split must be the same for all arms, set it under `set: "),
        ({"data": "x"}, r"arms\.a\.data must be the same"),
        ({"seed": 1}, r"arms\.a\.seed must be the same"),
        ({"pretrained": "yes"}, r"arms\.a\.pretrained is 'yes', write true or false"),
        ({"pretrained": False, "weights": "w.pt"}, r"arms\.a has weights and pretrained false"),
        ({"qqq": 1}, r"arms\.a\.qqq is neither .* remove it"),
    ],
)
def test_what_is_no_arm_is_refused(values: dict[str, Any], pattern: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        split_arm("a", values)


def test_what_arms_are_judged_on_is_no_settings_of_an_arm() -> None:
    assert not {"val_split", "data", "seed"} & set(SETTINGS)
    assert {"model", "weights", "optimizer", "train_split", "epochs"} <= set(SETTINGS)


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        ({"optimizer": "sgd"}, r"arms\.a: train\.optimizer is 'sgd'"),
        ({"lr0": -1}, r"arms\.a: .*lr0"),
        ({"lr0": "fast"}, r"arms\.a: .*lr0"),
        ({"image_size": "big"}, r"arms\.a: train.*image_size"),
        ({"pretrained": True}, r"arms\.a: pretrained is true and there are no weights"),
        ({"weights": "/gone.pt"}, r"arms\.a: train\.weights: there is no file /gone\.pt"),
        (
            {"train_split": "val"},
            r"arms\.a: train_split is val, which has the pictures of val that",
        ),
        ({"train_split": "full"}, r"arms\.a: train_split is full"),
        ({"train_split": "goldd"}, r"arms\.a: .*has no key `goldd`"),
    ],
)
def test_a_wrong_value_names_the_arm(files: SweepFiles, values: dict[str, Any], pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        checked_arm(split_arm("a", values), config(files))


def test_values_are_trained_as_they_are_checked(files: SweepFiles) -> None:
    arm, _ = checked_arm(split_arm("a", {"image_size": "320", "autoanchor": "no", "lr0": 1}), config(files))
    assert arm.train == {"image_size": 320, "autoanchor": False}
    assert arm.hyp == {"lr0": 1.0}


def test_weights_of_an_arm_have_no_digest_of_others() -> None:
    assert split_arm("a", {"weights": "v.pt"}).train == {"weights": "v.pt", "weights_sha256": None}
    assert split_arm("a", {"weights": "v.pt", "weights_sha256": "0" * 64}).train["weights_sha256"] == "0" * 64


def test_an_arm_is_the_base_but_for_what_it_sets(files: SweepFiles) -> None:
    base = config(files)
    arm, settings = checked_arm(split_arm("a", {"optimizer": "AdamW"}), base)
    assert arm.train == {"optimizer": "AdamW"}
    assert settings.as_dict() == {**base.settings().as_dict(), "optimizer": "AdamW"}
