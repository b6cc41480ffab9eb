"""Boxes are drawn where they are, in the colour of their class."""

from __future__ import annotations

import numpy as np
from PIL import ImageColor

from data_prep.eda.charts import class_colour
from trainable.predict.pictures import drawn
from trainable.predict.sinks import Predicted
from trainable.predict.sources import Picture


def predicted(boxes: list[list[float]], confidence: list[float], kind: list[int]) -> Predicted:
    pixels = np.full((200, 300, 3), 128, np.uint8)
    pixels[:, :, 0] = 0  # blue: an error in the order of the channels shows
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Predicted(Picture("a.jpg", pixels), array, np.array(confidence, np.float32), np.array(kind, np.int64))


def test_edges_have_the_colour_of_the_class() -> None:
    found = np.asarray(drawn(predicted([[40, 60, 200, 180], [100, 0, 300, 200]], [0.9, 0.5], [1, 0]), ["cow", "돼지"]))

    for kind, (x1, y1, x2, y2) in ((1, (40, 60, 200, 180)), (0, (100, 0, 300, 200))):
        colour = ImageColor.getrgb(class_colour(kind))
        edges = (found[y2 - 1, x1:x2], found[y1 + 1 : y2, x1], found[y1 + 1 : y2, x2 - 1])
        for edge in edges:
            assert (edge == colour).all(1).mean() > 0.8  # another box and texts cross it
    assert (found[100, 60] == (128, 128, 0)).all()
    assert found.shape == (200, 300, 3)


def test_a_picture_without_boxes_stays_as_it_is() -> None:
    picture = predicted([], [], [])
    assert (np.asarray(drawn(picture, ["cow"])) == picture.picture.pixels[:, :, ::-1]).all()


def test_a_box_without_area_is_no_error() -> None:
    drawn(predicted([[300, 200, 300, 200], [0, 0, 0, 0]], [0.9, 0.8], [0, 0]), ["cow"])
