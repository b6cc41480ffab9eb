"""Pictures with the predicted boxes drawn in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from data_prep.eda.charts import class_colour
from trainable.predict.sinks import Predicted, Sink, inside, new_folder

_QUALITY = 90


@contextmanager
def picture_sink(folder: Path, names: Sequence[str]) -> Iterator[Sink]:
    """Write each picture as a JPEG with its boxes, class names and confidences, into a folder that is new.

    Raises:
        DiskFullError, WorkFailedError: It cannot be written.
        InputError: The folder is there already.
    """
    with new_folder(folder) as draft:

        def write(predicted: Predicted) -> None:
            drawn(predicted, names).save(inside(draft, predicted.picture.name, ".jpg"), quality=_QUALITY)

        yield write


def drawn(predicted: Predicted, names: Sequence[str]) -> Image.Image:
    """A picture with its boxes, the most confident on top."""
    image = Image.fromarray(cv2.cvtColor(predicted.picture.pixels, cv2.COLOR_BGR2RGB))
    draw, line = ImageDraw.Draw(image), max(round(sum(image.size) / 2 * 0.003), 2)
    font = _font(max(line * 5, 11))
    for index in np.argsort(predicted.confidence, kind="stable"):
        x1, y1, x2, y2 = predicted.boxes[index].round().tolist()
        kind = int(predicted.kind[index])
        colour = class_colour(kind)
        draw.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=line)
        text = f"{names[kind]} {predicted.confidence[index]:.2f}"
        _, _, width, height = draw.textbbox((0, 0), text, font=font)
        top = max(y1 - height - 2, 0)
        draw.rectangle((x1, top, x1 + width + 3, top + height + 2), fill=colour)
        draw.text((x1 + 2, top), text, fill="white", font=font)
    return image


def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with matplotlib: Latin, Greek and Cyrillic; other letters come out as boxes."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
