from __future__ import annotations

import dataclasses
import io
from copy import deepcopy

import pytest
import torch
from torch import nn

from trainable import precision
from trainable.precision import Precision, choose_precision, half_precision
from trainable.settings import TrainSettings
from trainable.weights import build_model
from trainable.yolov5_parts import DetectionModel

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
BFLOAT16 = Precision(CPU, torch.bfloat16, channels_last=True, float32_head=True)


@pytest.fixture(scope="module")
def model() -> DetectionModel:
    torch.manual_seed(0)
    return build_model("yolov5n", 2).train()


def images(count: int = 2) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, 64, 64), generator=draw, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("device_type", "bfloat16", "dtype"),
    [
        ("cuda", True, torch.bfloat16),
        ("cuda", False, torch.float16),
        ("cpu", True, torch.bfloat16),
        ("cpu", False, None),
    ],
)
def test_half_precision_goes_by_the_hardware(device_type: str, bfloat16: bool, dtype: torch.dtype | None) -> None:
    assert half_precision(device_type, bfloat16=bfloat16) == dtype


@pytest.mark.parametrize("amp", [True, False])
@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
def test_the_exact_path_computes_as_yolov5_does(settings: TrainSettings, device: torch.device, amp: bool) -> None:
    chosen = choose_precision(dataclasses.replace(settings, path="exact", amp=amp), device)

    half = amp and device.type == "cuda"
    assert chosen == Precision(device, torch.float16 if half else None)
    assert chosen.scaled == half
    assert chosen.format == torch.contiguous_format


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
def test_the_fast_path_without_amp_is_float32(settings: TrainSettings, device: torch.device) -> None:
    chosen = choose_precision(dataclasses.replace(settings, path="fast", amp=False), device)

    assert chosen == Precision(device, None, channels_last=True, float32_head=True)
    assert not chosen.scaled


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize("bfloat16", [True, False])
def test_the_fast_path_asks_the_hardware(
    settings: TrainSettings, device: torch.device, bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_computes_bfloat16", lambda _: bfloat16)

    chosen = choose_precision(dataclasses.replace(settings, path="fast"), device)

    assert chosen.dtype == half_precision(device.type, bfloat16=bfloat16)
    assert chosen.scaled == (device.type == "cuda" and not bfloat16)  # a bfloat16 has the range of a float32
    assert chosen.format == torch.channels_last


@pytest.mark.parametrize("channels_last", [True, False])
def test_pixels_lie_between_0_and_1_in_the_format(channels_last: bool) -> None:
    given = images()
    before = given.clone()

    pixels = Precision(CPU, channels_last=channels_last).pixels(given)

    assert torch.equal(pixels, before.float() / 255)
    assert torch.equal(given, before)
    assert pixels.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert pixels.is_contiguous() != channels_last


def test_without_a_dtype_nothing_is_cast(model: DetectionModel) -> None:
    pixels = Precision(CPU).pixels(images())
    with Precision(CPU, float32_head=True).computing(model):
        found = model(pixels)

    torch.testing.assert_close(found, model(pixels), rtol=0, atol=0)


def test_only_the_head_is_float32(model: DetectionModel) -> None:
    seen: list[torch.dtype] = []
    convolutions = [model.model[0].conv, model.model[-1].m[0]]
    hooks = [each.register_forward_hook(lambda *given: seen.append(given[2].dtype)) for each in convolutions]
    with BFLOAT16.computing(model):
        model(BFLOAT16.pixels(images()))
    with dataclasses.replace(BFLOAT16, float32_head=False).computing(model):
        model(BFLOAT16.pixels(images()))
    for hook in hooks:
        hook.remove()

    assert seen == [torch.bfloat16, torch.float32, torch.bfloat16, torch.bfloat16]


def test_the_head_gets_its_gradients(model: DetectionModel) -> None:
    model.zero_grad()
    with BFLOAT16.computing(model):
        found = model(BFLOAT16.pixels(images()))
        sum(layer.square().mean() for layer in found).backward()

    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == torch.float32
    assert model.model[-1].m[0].weight.grad.abs().sum() > 0


def test_the_head_is_put_back(model: DetectionModel) -> None:
    head = model.model[-1]
    with BFLOAT16.computing(model):
        assert "forward" in vars(head)

    assert "forward" not in vars(head)
    assert not torch.is_autocast_enabled("cpu")


def test_the_head_is_put_back_after_an_error(model: DetectionModel) -> None:
    with pytest.raises(RuntimeError, match="channels"), BFLOAT16.computing(model):
        model(torch.zeros(1, 5, 64, 64))

    assert "forward" not in vars(model.model[-1])
    assert not torch.is_autocast_enabled("cpu")


def test_the_model_is_copied_and_pickled_as_before(model: DetectionModel) -> None:
    with BFLOAT16.computing(model):
        model(BFLOAT16.pixels(images()))
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    copies: list[nn.Module] = [deepcopy(model), torch.load(buffer, weights_only=False)]

    pixels = Precision(CPU).pixels(images())
    for copy in copies:
        # A copy whose head still called that of the original would not see its own weights.
        nn.init.zeros_(copy.model[-1].m[0].weight)
        nn.init.zeros_(copy.model[-1].m[0].bias)
        assert copy(pixels)[0].abs().sum() == 0
    assert model(pixels)[0].abs().sum() > 0
