from __future__ import annotations

import math
import pickle

import pytest
import torch
from torch import nn

from data_prep.errors import DivergedError
from trainable.divergence import EXPLOSION, DivergenceCheck
from trainable.metrics import Losses

GAINS = {"box": 0.05, "obj": 1.0, "cls": 0.5}
CHECK = DivergenceCheck(GAINS, lr0=0.02)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_named_with_its_epoch(place: int, value: float) -> None:
    mean = torch.tensor([0.1, 0.1, 0.1])
    mean[place] = value

    with pytest.raises(DivergedError, match=r"diverged in epoch 3: losses box .*\(lr0 0\.02\); lower lr0") as raised:
        CHECK.losses(mean, 2)

    assert pickle.loads(pickle.dumps(raised.value)).epoch == 2


@pytest.mark.parametrize(("place", "name"), list(enumerate(GAINS)))
def test_a_loss_explodes_beyond_a_hundred_times_its_own_gain(place: int, name: str) -> None:
    mean = torch.zeros(3)
    mean[place] = EXPLOSION * GAINS[name] * 0.999
    CHECK.losses(mean, 0)

    mean[place] *= 1.01
    with pytest.raises(DivergedError):
        CHECK.losses(mean, 0)


def test_a_gain_of_0_is_no_divergence() -> None:
    DivergenceCheck(GAINS | {"cls": 0.0}, lr0=0.01).losses(torch.tensor([0.1, 0.1, 0.0]), 0)


def test_one_weight_is_enough() -> None:
    model = nn.Linear(3, 2)
    CHECK.weights(model, 0)
    with torch.no_grad():
        model.bias[1] = math.inf

    with pytest.raises(DivergedError, match="epoch 1: the weights are no longer finite"):
        CHECK.weights(model, 0)


@pytest.mark.parametrize("place", range(3))
def test_a_validation_that_is_no_number_is_a_divergence_and_a_large_one_is_none(place: int) -> None:
    values = [0.1, 0.1, 0.1]
    values[place] = 1e6
    CHECK.validation(Losses(*values), 0)
    values[place] = math.nan

    with pytest.raises(DivergedError, match="validation losses"):
        CHECK.validation(Losses(*values), 0)
