"""The image bank: memory of 1, 2 and 4 trainings (proportional set size), and seconds to build, map and load.

Beside the bank stand processes that keep a copy each, and decoding each time. Medians; both sides are interleaved in
one run. Prints one JSON line last.
Usage: python benchmarks/image_bank.py [--data DATA_YAML] [--split train] [--image-size 640] [--rounds 5] [--images 300]
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from data_prep.config import PrepareConfig
from data_prep.dataset import read_data_yaml
from data_prep.prepare import prepare
from data_prep.readers.aihub import AihubReader
from data_prep.synthetic import draw_herd
from trainable.bank_build import BankContent, obtain
from trainable.bank_check import check_images
from trainable.bank_folder import BANK, CacheFolder
from trainable.image_bank import ImageBank

T = TypeVar("T")
PROCESSES = (1, 2, 4)
CHILD = """
import pickle, sys
from trainable.image_bank import ImageBank
mode, bank = sys.argv[1], pickle.load(open(sys.argv[2], "rb"))
kept = []
if mode != "nothing":
    for index in range(len(bank)):
        pixels = bank.load(index)[0]
        pixels.sum()
        if mode == "copies":
            kept.append(pixels)
print("ready", flush=True)
sys.stdin.read()
"""


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory(dir=arguments.cache_dir) as name:
        data = read_data_yaml(arguments.data or draw(Path(name), arguments.images))
        files = [str(path) for path in data.images(arguments.split)]
        folder = CacheFolder(Path(name, "cache"))
        check, content = timed(lambda: content_of(files, arguments.image_size, folder))
        report = {
            "images": len(content.files), "image_size": arguments.image_size,
            "bank_mb": round(content.layout.pixel_bytes / 1e6, 1), "check_s": round(check, 3),
            "check_again_s": median(lambda: content_of(files, arguments.image_size, folder), arguments.rounds),
            **build_times(content, folder, arguments.rounds), **load_times(content, folder, arguments.rounds),
            "pss_mb": memory(content, folder, Path(name)), "opencv": cv2.__version__,
            "cores": len(os.sched_getaffinity(0)),
        }  # fmt: skip
    print(json.dumps(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--image-size", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--cache-dir")
    return parser.parse_args()


def draw(folder: Path, images: int) -> Path:
    draw_herd(folder / "raw", images=images, seed=0)
    return prepare(PrepareConfig(source=AihubReader(reader="aihub", folder=folder / "raw")), folder / "data")


def content_of(files: list[str], image_size: int, folder: CacheFolder) -> BankContent:
    sound = [image for image in check_images(files, "", folder) if image.flaw is None]
    sizes = np.array([(image.height, image.width) for image in sound])
    return BankContent([image.file for image in sound], sizes, image_size, augmented=True)


def build_times(content: BankContent, folder: CacheFolder, rounds: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {"build_1_thread_s": [], "build_2_threads_s": []}
    for _ in range(rounds):
        for threads, name in enumerate(seconds, start=1):
            for path in folder.path.glob(f"*{BANK}"):
                path.unlink()
            seconds[name].append(timed(lambda threads=threads: obtain(content, folder, threads))[0])
    return {name: round(statistics.median(values), 3) for name, values in seconds.items()}


def load_times(content: BankContent, folder: CacheFolder, rounds: int) -> dict[str, float]:
    sides = {"load_ms": ImageBank(content, obtain(content, folder)), "decode_ms": ImageBank(content)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, bank in sides.items():
            seconds[name].append(timed(lambda bank=bank: [bank.load(i)[0].sum() for i in range(len(bank))])[0])
    loads = {name: round(1e3 * statistics.median(values) / len(content.files), 4) for name, values in seconds.items()}
    return {"map_s": median(lambda: obtain(content, folder), rounds), **loads}


def memory(content: BankContent, folder: CacheFolder, place: Path) -> dict[str, dict[int, float]]:
    """MB that all processes take together, by how they hold the images and how many they are."""
    banks = {"bank": ImageBank(content, obtain(content, folder)), "copies": ImageBank(content)}
    banks["nothing"] = banks["copies"]
    for mode, bank in banks.items():
        (place / mode).write_bytes(pickle.dumps(bank))
    return {
        mode: {count: round(sum_of_pss(mode, count, place / mode) / 1e6, 1) for count in PROCESSES}
        for mode in ("nothing", "bank", "copies")
    }


def sum_of_pss(mode: str, count: int, bank: Path) -> int:
    with ExitStack() as stack:
        command = [sys.executable, "-c", CHILD, mode, str(bank)]
        running = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            for _ in range(count)
        ]
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        return sum(pss(process.pid) for process in running)


def pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def median(work: Callable[[], object], rounds: int) -> float:
    return round(statistics.median(timed(work)[0] for _ in range(rounds)), 5)


if __name__ == "__main__":
    main()
