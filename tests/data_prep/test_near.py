from __future__ import annotations

import io
import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageEnhance
from PIL.Image import Resampling

from data_prep import near
from data_prep.near import DEFAULT_DISTANCE, Pair, clusters, find_pairs
from data_prep.records import THUMBNAIL_SIDE

Picture = Image.Image


def scene(seed: int, size: int = 256) -> Picture:
    """A smooth coloured field with rectangles: no two seeds look alike."""
    rng = np.random.default_rng(seed)
    field = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)).resize((size, size), Resampling.BICUBIC)
    for _ in range(6):
        x, y, width, height = rng.integers(10, size // 2, 4)
        field.paste(tuple(int(c) for c in rng.integers(0, 256, 3)), (x, y, x + width, y + height))
    return field


def thumbnail(picture: Picture) -> bytes:
    return picture.convert("L").resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Resampling.BOX).tobytes()


def jpeg(picture: Picture, quality: int) -> Picture:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def crop(picture: Picture, share: float) -> Picture:
    width, height = picture.size
    return picture.crop((int(width * share / 2), int(height * share / 2), int(width * (1 - share / 2)), height))


DISTORTIONS: dict[str, Callable[[Picture], Picture]] = {
    "jpeg quality 50": lambda picture: jpeg(picture, 50),
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "twice the size": lambda picture: picture.resize((picture.width * 2, picture.height * 2)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.1),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.9),
    "cropped": lambda picture: crop(picture, 0.03),
}


def noise(count: int, seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, THUMBNAIL_SIDE**2, dtype=np.uint8).tobytes() for _ in range(count)]


def frames(count: int, spread: int, seed: int = 0) -> list[bytes]:
    """One scene under noise: pairs of every distance from near to far."""
    rng = np.random.default_rng(seed)
    base = np.frombuffer(thumbnail(scene(seed)), np.uint8).astype(np.int64)
    levels = rng.integers(1, spread, count)
    return [np.clip(base + rng.normal(0, level, base.size), 0, 255).astype(np.uint8).tobytes() for level in levels]


def dct_bits(thumb: bytes) -> npt.NDArray[np.bool_]:
    """The hash as its definition says, in whole numbers of Python's size."""
    grid = np.frombuffer(thumb, np.uint8).reshape(THUMBNAIL_SIDE, THUMBNAIL_SIDE).astype(int)
    steps = (2 * np.arange(THUMBNAIL_SIDE) + 1) * np.pi / (2 * THUMBNAIL_SIDE)
    cosines = np.rint(65536 * np.cos(np.arange(16)[:, None] * steps)).astype(int)
    waves = (cosines @ grid @ cosines.T).ravel()[1:]
    return waves > np.median(waves)


def all_pairs(thumbs: list[bytes], distance: int) -> list[Pair]:
    bits = [dct_bits(thumb) for thumb in thumbs]
    found = ((a, b, int((bits[a] != bits[b]).sum())) for a, b in itertools.combinations(range(len(bits)), 2))
    return [Pair(*pair) for pair in found if pair[2] <= distance]


@pytest.mark.parametrize("change", DISTORTIONS.values(), ids=DISTORTIONS)
def test_a_changed_copy_pairs_with_its_original_and_with_nothing_else(change: Callable[[Picture], Picture]) -> None:
    scenes = [scene(seed) for seed in range(30)]
    thumbs = [thumbnail(picture) for picture in scenes] + [thumbnail(change(picture)) for picture in scenes]
    assert [pair[:2] for pair in find_pairs(thumbs)] == [(index, index + 30) for index in range(30)]


def test_pictures_that_share_nothing_make_no_pair() -> None:
    assert find_pairs(noise(500) + [thumbnail(scene(seed)) for seed in range(100)]) == []


@pytest.mark.parametrize("distance", [0, 10, 40, DEFAULT_DISTANCE])
def test_the_pairs_are_a_minimum_spanning_forest_of_all_pairs(distance: int) -> None:
    thumbs = [*frames(60, 80, seed=1), *noise(5), *frames(40, 60, seed=2)]
    every = all_pairs(thumbs, distance)
    found = find_pairs(thumbs, distance)
    assert set(found) <= set(every)
    assert clusters(len(thumbs), found) == clusters(len(thumbs), every)
    forest: list[Pair] = []  # Kruskal, the other way to a minimum spanning forest
    for pair in sorted(every, key=lambda pair: pair.distance):
        groups = clusters(len(thumbs), forest)
        if groups[pair.first] != groups[pair.second]:
            forest.append(pair)
    assert len(found) == len(forest)
    assert sum(pair.distance for pair in found) == sum(pair.distance for pair in forest)
    assert len(forest) >= distance // 4  # else the case is too thin to say anything


def test_every_picture_is_paired_with_its_nearest() -> None:
    thumbs = frames(80, 80)
    every, found = all_pairs(thumbs, DEFAULT_DISTANCE), find_pairs(thumbs)
    for index in range(len(thumbs)):
        nearest = min((pair.distance for pair in every if index in pair[:2]), default=None)
        assert nearest == min((pair.distance for pair in found if index in pair[:2]), default=None)


def test_with_sides_only_pairs_across_them_count_and_no_such_picture_is_missed() -> None:
    thumbs = [*frames(50, 70, seed=3), *frames(50, 70, seed=4)]
    sides = [("train", "valid", "train")[index % 3] for index in range(100)]
    across = [pair for pair in all_pairs(thumbs, 60) if sides[pair.first] != sides[pair.second]]
    found = find_pairs(thumbs, 60, sides)
    assert set(found) <= set(across)
    assert {i for pair in found for i in pair[:2]} == {i for pair in across for i in pair[:2]} != set()
    assert clusters(100, found) == clusters(100, across)


def test_frames_of_one_camera_cost_one_pair_each_even_when_their_hashes_are_equal() -> None:
    thumbs = [frames(1, 2)[0]] * 3000
    assert find_pairs(thumbs) == [Pair(0, index, 0) for index in range(1, 3000)]
    assert set(clusters(3000, find_pairs(thumbs))) == {0}


def test_pairs_do_not_depend_on_how_often_the_search_is_tidied(monkeypatch: pytest.MonkeyPatch) -> None:
    thumbs = [*frames(60, 80), *noise(20), *frames(60, 80, seed=1)]
    sides = [("train", "valid", "train")[index % 3] for index in range(140)]
    whole = find_pairs(thumbs, sides=sides)
    monkeypatch.setattr(near, "_TIDY", 7)
    assert find_pairs(thumbs, sides=sides) == whole != []


def test_pictures_beyond_the_first_chunk_are_paired() -> None:
    some = noise(2100)
    assert [pair[:2] for pair in find_pairs([*some, *some])] == [(index, index + 2100) for index in range(2100)]


def test_flat_and_missing_pictures_pair_with_nothing() -> None:
    flat = bytes([200]) * THUMBNAIL_SIDE**2
    gradient = bytes(100 + column // 8 for _ in range(THUMBNAIL_SIDE) for column in range(THUMBNAIL_SIDE))
    twin = thumbnail(scene(1))
    assert find_pairs([b"", flat, twin, b"", flat, gradient, gradient, twin]) == [Pair(2, 7, 0)]


def test_faint_contrast_is_enough() -> None:
    faint = [bytes(120 + value // 16 for value in thumbnail(scene(seed))) for seed in (1, 1, 2)]
    assert [pair[:2] for pair in find_pairs(faint)] == [(0, 1)]


def test_no_pictures_no_pairs() -> None:
    assert find_pairs([]) == []
    assert find_pairs([b"", b""]) == []
    assert clusters(0, []) == []


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="thumbnail 1 has 3 bytes"):
        find_pairs([noise(1)[0], b"abc"])
    with pytest.raises(ValueError, match="1 sides for 2 thumbnails"):
        find_pairs(noise(2), sides=["train"])


def test_clusters_are_named_by_their_first_picture() -> None:
    assert clusters(6, [Pair(3, 5, 1), Pair(1, 4, 2), Pair(4, 5, 3)]) == [0, 1, 2, 1, 1, 1]
