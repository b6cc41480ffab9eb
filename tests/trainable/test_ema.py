from __future__ import annotations

import torch
from torch import nn

from trainable.ema import ForeachEMA
from trainable.yolov5_parts import ModelEMA


def test_it_averages_as_yolov5_does() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    ours, theirs = ForeachEMA(model), ModelEMA(model)

    for _ in range(5):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        model(torch.randn(2, 3, 8, 8))  # moves the statistics of the normalisation
        ours.update(model)
        theirs.update(model)

    assert ours.updates == theirs.updates == 5
    for mine, stock in zip(ours.ema.state_dict().values(), theirs.ema.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, stock, rtol=1e-6, atol=1e-8)


def test_weights_that_are_loaded_in_between_count() -> None:
    model = nn.Linear(2, 2)
    ema = ForeachEMA(model)
    ema.update(model)
    model.load_state_dict({"weight": torch.full((2, 2), 7.0), "bias": torch.zeros(2)})
    ema.ema.load_state_dict({"weight": torch.full((2, 2), 5.0), "bias": torch.zeros(2)})
    ema.updates = 10**9

    ema.update(model)

    assert torch.allclose(ema.ema.weight, torch.full((2, 2), 5.0 + 2.0 * 1e-4))
