"""In which precision and memory format a training computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from trainable.settings import TrainSettings
from trainable.yolov5_parts import DetectionModel


@dataclass(frozen=True)
class Precision:
    """Precision of the forward pass; weights, gradients and the optimizer are always float32.

    Attributes:
        device:
            Where it computes.
        dtype:
            ``torch.bfloat16`` or ``torch.float16`` under autocast; None for float32 throughout.
        channels_last:
            Whether images and weights lie in memory as (n, h, w, c).
        float32_head:
            Whether the output layer computes in float32 all the same: a bfloat16 has 8 significant bits, too few for
            the corner of a box.
    """

    device: torch.device
    dtype: torch.dtype | None = None
    channels_last: bool = False
    float32_head: bool = False

    @property
    def scaled(self) -> bool:
        """Whether gradients need scaling: those of a float16 are lost below 6e-8."""
        return self.dtype is torch.float16

    @property
    def format(self) -> torch.memory_format:
        """The memory format of images and weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def pixels(self, images: torch.Tensor) -> torch.Tensor:
        """Images, (n, 3, h, w) uint8, as the network's input between 0 and 1."""
        moved = images.to(self.device, non_blocking=True)
        return moved.to(torch.float32, memory_format=self.format).div_(255)

    @contextmanager
    def computing(self, model: DetectionModel) -> Iterator[None]:
        """Run ``model`` in this precision."""
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            if self.dtype is None or not self.float32_head:
                yield
                return
            with _float32_head(model, self.device.type):
                yield


def choose_precision(settings: TrainSettings, device: torch.device) -> Precision:
    """The precision of a training on ``device``.

    The exact path computes as ``yolov5.train`` does: float32 on a CPU, float16 with ``amp`` on a GPU. The fast path
    takes bfloat16 wherever the hardware computes in it (it needs no scaling of the gradients), float16 on older GPUs
    and float32 on older CPUs.
    """
    if settings.path == "exact":
        half = settings.amp and device.type == "cuda"
        return Precision(device, torch.float16 if half else None)
    dtype = half_precision(device.type, bfloat16=_computes_bfloat16(device)) if settings.amp else None
    return Precision(device, dtype, channels_last=True, float32_head=True)


def half_precision(device_type: str, *, bfloat16: bool) -> torch.dtype | None:
    """The 16-bit type that pays on a device, or None where float32 is faster.

    Args:
        device_type:
            ``cpu`` or ``cuda``.
        bfloat16:
            Whether the hardware computes in bfloat16.
    """
    if bfloat16:
        return torch.bfloat16
    return torch.float16 if device_type == "cuda" else None


def _computes_bfloat16(device: torch.device) -> bool:
    """Whether the hardware does; torch also emulates it, which takes longer than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001  # no public one


@contextmanager
def _float32_head(model: DetectionModel, device_type: str) -> Iterator[None]:
    """Take the output layer out of the autocast; put back afterwards, because the model is pickled and copied."""
    head = model.model[-1]
    plain = head.forward

    def forward(features: Sequence[torch.Tensor]) -> object:
        with torch.autocast(device_type, enabled=False):
            return plain([feature.float() for feature in features])

    head.forward = forward
    try:
        yield
    finally:
        del head.forward
