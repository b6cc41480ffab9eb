"""What the search for near duplicates finds and costs: recall per distortion, false pairs, seconds by pictures.

Recall is the share of distorted copies that pair with their original, all copies of one kind searched together with
all originals; a pair of two originals is false (unless the pictures of --pictures hold real duplicates). Pictures are
drawn; --pictures FOLDER takes real ones. The seconds are of `find_pairs` on drawn thumbnails: independent ones, and
frames of one camera. Prints one JSON line last. Usage: python benchmarks/near_duplicates.py [--pictures FOLDER]
"""

from __future__ import annotations

import argparse
import io
import json
import math
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from data_prep.images import examine_image
from data_prep.limits import Limits
from data_prep.near import DEFAULT_DISTANCE, clusters, find_pairs
from data_prep.records import IMAGE_SUFFIXES, THUMBNAIL_SIDE

Picture = Image.Image


def main() -> None:
    arguments = parse()
    rng = np.random.default_rng(arguments.seed)
    pictures = read(arguments, rng) if arguments.pictures else [save(draw(rng, 256)) for _ in range(arguments.count)]
    recall, false = judge(pictures, arguments.distance)
    seconds = {count: clock(fields(rng, count), arguments.distance) for count in arguments.sizes}
    few, many = min(seconds), max(seconds)
    report = {
        "benchmark": "near_duplicates",
        "machine": platform.processor() or platform.machine(),
        "distance": arguments.distance,
        "pictures": len(pictures),
        "recall": recall,
        "pairs_of_originals": false,
        "seconds": {str(count): round(took, 3) for count, (took, _) in seconds.items()},
        "false_pairs": {str(count): pairs for count, (_, pairs) in seconds.items()},
        "exponent": round(math.log(seconds[many][0] / seconds[few][0]) / math.log(many / few), 2),
        "one_camera": {str(count): clock(frames(rng, count), arguments.distance) for count in (5_000, 16_384)},
    }
    print(json.dumps(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="folder of real pictures, searched with its subfolders")
    parser.add_argument("--count", type=int, default=300, help="pictures for the recall")
    parser.add_argument("--distance", type=int, default=DEFAULT_DISTANCE)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2_048, 16_384, 65_536])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def read(arguments: argparse.Namespace, rng: np.random.Generator) -> list[bytes]:
    files = sorted(path for path in arguments.pictures.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    chosen = sorted(rng.choice(len(files), min(arguments.count, len(files)), replace=False))
    return [files[index].read_bytes() for index in chosen]


def draw(rng: np.random.Generator, side: int) -> Picture:
    """Draw a smooth field: noise of every scale, the coarser the stronger, as photographs have."""
    field = np.zeros((side, side))
    for cells in (2, 4, 8, 16, 32):
        noise = Image.fromarray(rng.normal(0, 64 / cells, (cells, cells)).astype(np.float32))
        field += np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(128 + 2 * field, 0, 255).astype(np.uint8))


def fields(rng: np.random.Generator, count: int) -> list[bytes]:
    return [draw(rng, THUMBNAIL_SIDE).tobytes() for _ in range(count)]


def frames(rng: np.random.Generator, count: int) -> list[bytes]:
    base = np.frombuffer(fields(rng, 1)[0], np.uint8).astype(np.int16)
    return [np.clip(base + rng.integers(-8, 9, base.size), 0, 255).astype(np.uint8).tobytes() for _ in range(count)]


def clock(thumbnails: list[bytes], distance: int) -> tuple[float, int]:
    start = time.perf_counter()
    pairs = find_pairs(thumbnails, distance)
    return round(time.perf_counter() - start, 3), len(pairs)


def judge(pictures: list[bytes], distance: int) -> tuple[dict[str, float], int]:
    originals = [thumbnail(content) for content in pictures]
    sides = ["original"] * len(pictures) + ["copy"] * len(pictures)
    recall = {}
    for name, (distort, quality) in DISTORTIONS.items():
        opened = (Image.open(io.BytesIO(content)).convert("RGB") for content in pictures)
        copies = [thumbnail(save(distort(picture), quality)) for picture in opened]
        group = clusters(len(sides), find_pairs([*originals, *copies], distance, sides))
        hits = sum(ours == theirs for ours, theirs in zip(group, group[len(pictures) :], strict=False))
        recall[name] = round(hits / len(pictures), 3)
    return recall, len(find_pairs(originals, distance))


def thumbnail(content: bytes) -> bytes:
    return examine_image(content, Limits()).thumbnail


def save(picture: Picture, quality: int = 90) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def resize(factor: float) -> Callable[[Picture], Picture]:
    return lambda picture: picture.resize((round(picture.width * factor), round(picture.height * factor)))


def brighten(factor: float) -> Callable[[Picture], Picture]:
    return lambda picture: ImageEnhance.Brightness(picture).enhance(factor)


def crop(left: float, top: float, right: float, bottom: float) -> Callable[[Picture], Picture]:
    def distort(picture: Picture) -> Picture:
        width, height = picture.size
        return picture.crop(
            (int(width * left), int(height * top), int(width * (1 - right)), int(height * (1 - bottom)))
        )

    return distort


def shift(share: float) -> Callable[[Picture], Picture]:
    """Move the scene by a share of the picture to the right and down, as a shaking camera does."""

    def distort(picture: Picture) -> Picture:
        moved = picture.copy()
        moved.paste(picture, (round(picture.width * share), round(picture.height * share)))
        return moved

    return distort


def stamp(picture: Picture) -> Picture:
    """Put a white sign into the lower right corner."""
    stamped = picture.copy()
    width, height = picture.size
    stamped.paste(Image.new(picture.mode, (width, height), "white"), (int(width * 0.7), int(height * 0.9)))
    return stamped


#: What is done to a copy, and the JPEG quality that it is saved with.
DISTORTIONS: dict[str, tuple[Callable[[Picture], Picture], int]] = {
    "jpeg_50": (Image.Image.copy, 50),
    "jpeg_75": (Image.Image.copy, 75),
    "jpeg_95": (Image.Image.copy, 95),
    "half_size": (resize(0.5), 90),
    "double_size": (resize(2), 90),
    "brighter_10": (brighten(1.1), 90),
    "darker_10": (brighten(0.9), 90),
    "crop_2_all_round": (crop(0.01, 0.01, 0.01, 0.01), 90),
    "crop_4_all_round": (crop(0.02, 0.02, 0.02, 0.02), 90),
    "crop_4_left": (crop(0.04, 0, 0, 0), 90),
    "crop_4_left_and_top": (crop(0.04, 0.04, 0, 0), 90),
    "shift_1": (shift(0.01), 90),
    "shift_2": (shift(0.02), 90),
    "shift_3": (shift(0.03), 90),
    "stamped": (stamp, 90),
}


if __name__ == "__main__":
    main()
