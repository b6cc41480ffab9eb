"""Hue, saturation and value on a device, in the whole numbers of OpenCV's 8-bit HSV."""

from __future__ import annotations

import torch

HUES = 180
"""OpenCV's hue of a byte counts in steps of two degrees."""


def recolour(images: torch.Tensor, tables: torch.Tensor) -> torch.Tensor:
    """Change the colours as ``augment_hsv`` of YOLOv5 does.

    Args:
        images:
            Shape (n, h, w, 3), BGR, whole numbers from 0 to 255 as float32.
        tables:
            Shape (n, 256, 3), uint8: what each hue, saturation and value becomes.

    Returns:
        Shape (n, h, w, 3), RGB, whole numbers as float32.
    """
    hsv = _to_hsv(images).long()
    changed = tables.long().gather(1, hsv.flatten(1, 2)).view_as(hsv).float()
    return _to_rgb(changed)


def _to_hsv(images: torch.Tensor) -> torch.Tensor:
    """``cv2.COLOR_BGR2HSV``: hue 0 to 179, saturation and value 0 to 255."""
    blue, green, red = images.unbind(-1)
    value, least = images.amax(-1), images.amin(-1)
    spread = value - least
    scale = 60.0 / spread.clamp(min=1)
    hue = torch.where(
        value == red,
        (green - blue) * scale,
        torch.where(value == green, 120 + (blue - red) * scale, 240 + (red - green) * scale),
    )
    hue = (torch.where(hue < 0, hue + 360, hue) / 2).round() % HUES
    saturation = (255.0 * spread / value.clamp(min=1)).round()
    return torch.stack((hue, saturation, value), -1)


def _to_rgb(hsv: torch.Tensor) -> torch.Tensor:
    """``cv2.COLOR_HSV2RGB``."""
    hue, saturation, value = hsv.unbind(-1)
    # Each channel falls from full value to what the saturation leaves, around its own place on the colour circle.
    sector = hue * (6.0 / HUES)
    channels = []
    for place in (5.0, 3.0, 1.0):  # red, green, blue
        turn = (place + sector) % 6
        depth = torch.minimum(turn, 4 - turn).clamp(0, 1)
        channels.append(value * (1 - saturation / 255.0 * depth))
    return torch.stack(channels, -1).round()
