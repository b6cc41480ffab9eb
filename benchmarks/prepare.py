"""Time and memory of `prepare` at several sizes, and the exponent by which the time grows.

    python benchmarks/prepare.py [--sizes 2000 16000 64000] [--repeats 3] [--folder DIR]

Draws AI Hub archives with small pictures (320 x 180 and 213 x 160 px, every one different), then prepares each in a
process of its own, the sizes interleaved. Reading, looking (decoding, hashing), near duplicates, stratification by all
four kinds of labels and writing are all in the time; drawing is not. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from data_prep.readers.aihub import livestock_archives
from data_prep.synthetic.scenes import draw_scene

SIZES = ((320, 180), (213, 160))
SCENES = 48


def draw(folder: Path, images: int) -> None:
    """Write the four archives; pictures are noisy, shifted, mirrored views of a few drawn scenes."""
    folder.mkdir(parents=True)
    for index, (species, pair) in enumerate(livestock_archives().items()):
        rng = np.random.default_rng((7, index))
        scenes = [draw_scene(species, 480, 270, False, np.random.default_rng((index, n)))[0] for n in range(SCENES)]
        count = images - images * 3 // 4 if species == "pig" else images * 3 // 4
        with (
            zipfile.ZipFile(folder / pair.images, "w") as pictures,
            zipfile.ZipFile(folder / pair.labels, "w") as texts,
        ):
            for number in range(count):
                width, height = SIZES[int(species == "pig" and rng.random() < 0.27)]
                stem = f"livestock_{species}_bbox_{number:06d}"
                pictures.writestr(f"{stem}.jpg", view(scenes[number % SCENES], width, height, rng))
                texts.writestr(f"{stem}.json", json.dumps(label(width, height, rng)))


def view(scene: np.ndarray, width: int, height: int, rng: np.random.Generator) -> bytes:
    """Cut a window out of a scene, mirror it at times, add coarse noise, encode."""
    x, y = int(rng.integers(0, 480 - width + 1)), int(rng.integers(0, 270 - height + 1))
    window = scene[y : y + height, x : x + width][:, :: int(rng.choice((1, -1)))]
    coarse = rng.integers(-40, 41, (6, 8, 3)).astype(np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    encoded = cv2.imencode(".jpg", np.clip(window + noise, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return encoded.tobytes()


def label(width: int, height: int, rng: np.random.Generator) -> dict[str, object]:
    boxes = []
    for _ in range(int(rng.integers(1, 13))):
        w, h = rng.uniform(5, width / 2), rng.uniform(5, height / 2)
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        boxes.append({"bbox": [round(x, 1), round(y, 1), round(x + w, 1), round(y + h, 1)], "category_id": 1})
    return {"label_info": {"image": {"width": width, "height": height}, "annotations": boxes, "categories": []}}


def prepare_once(raw: Path, out: Path) -> None:
    """Prepare, and print seconds and peak memory of this process."""
    from data_prep.config import PrepareConfig
    from data_prep.prepare import prepare

    stages: dict[str, float] = {}
    began = last = time.perf_counter()

    def note(stage: str, done: int, total: int) -> None:
        nonlocal last
        del done, total
        now = time.perf_counter()
        stages[stage] = stages.get(stage, 0.0) + now - last
        last = now

    settings = {
        "source": {"reader": "aihub", "folder": str(raw)},
        "stratify": ["class", "count", "ratio", "size"],
        "count_bins": {"pig": [8, 13], "cow": [4, 6]},
    }
    prepare(PrepareConfig.model_validate(settings), out, note)
    seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": memory, "stages": stages}))


def measure(raw: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--prepare", str(raw), str(out)]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    shutil.rmtree(out)
    result: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 16455, 64000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to draw; a temporary folder if absent")
    parser.add_argument("--prepare", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare_once(*options.prepare)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        folder = Path(temporary)
        for size in options.sizes:
            draw(folder / f"raw_{size}", size)
            print(f"drew {size}", flush=True)
        runs: dict[int, list[dict[str, float]]] = {size: [] for size in options.sizes}
        for _ in range(options.repeats):
            for size in options.sizes:
                runs[size].append(measure(folder / f"raw_{size}", folder / "out"))
                print(size, runs[size][-1], flush=True)
    seconds = {size: median(run["seconds"] for run in found) for size, found in runs.items()}
    low, high = min(seconds), max(seconds)
    summary = {
        "seconds": {size: round(value, 2) for size, value in seconds.items()},
        "spread": {
            size: [round(f([r["seconds"] for r in found]), 2) for f in (min, max)] for size, found in runs.items()
        },
        "megabytes": {size: round(max(run["megabytes"] for run in found)) for size, found in runs.items()},
        "exponent": round(math.log(seconds[high] / seconds[low]) / math.log(high / low), 3) if high > low else None,
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
