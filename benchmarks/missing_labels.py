"""Precision and recall of the list of likely missing labels, measured on labels that were deleted on purpose.

Of the labels of a split a random share is deleted (several times, seeded), and the list that ``hypsweep errors`` would
make is compared with what was deleted: a listed box is right where it overlaps a deleted label of its class by 0.5 or
more, each deleted label once. Its precision is a lower bound: labels that lacked before count as wrong
(``listed_before`` says how long the list is where nothing is deleted). The network runs once; without --weights yolov5n
is trained first, on train. Prints one JSON line last.

Usage: python benchmarks/missing_labels.py --data .../data.yaml [--weights weights.pt | --start yolov5n.pt]
       [--split val] [--share 0.1] [--seeds 10] [--seed 0] [--image-size 256] [--epochs 10] [--threads 1] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import yaml

from data_prep.dataset import DatasetYaml, read_data_yaml
from trainable.detector import load_detector
from trainable.error_analysis.matching import NONE, match
from trainable.error_analysis.missing import Missing, MissingRules, least_confidences, missing_labels
from trainable.error_analysis.pictures import box_iou, native_labels, pictures_of
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.nms import VAL
from trainable.raw_file import RawImage
from trainable.raw_predictions import RawRun, raw_predictions
from trainable.settings import TrainSettings
from trainable.weights import save_stripped

RULES = {
    "default": MissingRules(),
    "precision 0.5": MissingRules(precision=0.5),
    "precision 0.7": MissingRules(precision=0.7),
    "precision 0.9": MissingRules(precision=0.9),
    "right at 0.3": MissingRules(match_iou=0.3),
    "right at 0.75": MissingRules(match_iou=0.75),
    "clear by 0.1": MissingRules(clear_iou=0.1),
    "clear by 0.5": MissingRules(clear_iou=0.5),
    "within a label as well": MissingRules(inside=1.0),
    "NMS at 0.6 alone": MissingRules(nms_ious=(0.6,)),
    "NMS at 0.4 to 0.7": MissingRules(nms_ious=(0.4, 0.5, 0.6, 0.7)),
    "NMS at 0.2 to 0.7": MissingRules(nms_ious=(0.2, 0.3, 0.5, 0.7)),
}


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    data = read_data_yaml(arguments.data)
    weights = arguments.weights or train(arguments)
    detector = load_detector(weights, device="cpu", names=data.names)
    run = RawRun(detector=detector, data=data, split=arguments.split, image_size=arguments.image_size)
    images = list(raw_predictions(run, arguments.out / "raw_predictions.parquet"))
    before = {name: len(rows) for name, rows in lists(images, data).items()}
    seeds = [
        once(images, data, arguments.share, seed) for seed in range(arguments.seed, arguments.seed + arguments.seeds)
    ]
    rows = {name: {"listed_before": before[name]} | summary([each[name] for each in seeds]) for name in RULES}
    for name, row in rows.items():
        print(f"{name:24} {row}")
    print(json.dumps({"labels": sum(len(image.labels) for image in images), "share": arguments.share, "rules": rows}))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--start", default="yolov5n.pt")
    parser.add_argument("--split", default="val")
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--out", type=Path, default=Path("runs/missing_labels"))
    for name, default in (("seeds", 10), ("seed", 0), ("image-size", 256), ("epochs", 10), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def train(arguments: argparse.Namespace) -> Path:
    """Train yolov5n on train; the weights lie in the folder of the benchmark."""
    settings = TrainSettings(
        data=str(arguments.data), epochs=arguments.epochs, model="yolov5n", weights=arguments.start, device="cpu",
        image_size=arguments.image_size, batch_size=16, nominal_batch_size=16, min_warmup_iterations=40,
    )  # fmt: skip
    loop = EpochLoop(settings, Hyp())
    for _ in range(settings.epochs):
        found = loop.run_epoch()
        print(f"epoch {found.epoch}: mAP50 {found.evaluation.overall.map50 if found.evaluation else 0:.3f}", flush=True)
    weights: Path = arguments.out / "weights.pt"
    save_stripped(loop.parts.ema.ema, weights)
    weights.with_name("train.yaml").write_text(yaml.safe_dump(settings.as_dict()))
    return weights


def summary(found: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over the seeds, and the standard deviation of one deletion (``_sd``)."""
    shown = {}
    for name in found[0]:
        values = [each[name] for each in found]
        shown[name] = round(statistics.mean(values), 3)
        shown[f"{name}_sd"] = round(statistics.stdev(values), 3) if len(values) > 1 else 0.0
    return shown


def once(images: Sequence[RawImage], data: DatasetYaml, share: float, seed: int) -> dict[str, dict[str, float]]:
    """One deletion: by rules, how long the list is, and how much of it and of what was deleted is right."""
    kept, deleted = delete(images, share, seed)
    count = sum(len(image.labels) for image in deleted)
    found = {}
    for name, rows in lists(kept, data).items():
        right = sum(hits(image, [each for each in rows if each.file == image.file]) for image in deleted)
        found[name] = {"listed": len(rows), "precision": right / max(len(rows), 1), "recall": right / max(count, 1)}
    return found


def lists(images: Sequence[RawImage], data: DatasetYaml) -> dict[str, list[Missing]]:
    """The list that ``hypsweep errors`` makes, by rules."""
    pictures = list(pictures_of(images, VAL))
    return {
        name: missing_labels(images, least_confidences(pictures, len(data.names), rules), rules)
        for name, rules in RULES.items()
    }


def delete(images: Iterable[RawImage], share: float, seed: int) -> tuple[list[RawImage], list[RawImage]]:
    """The images without a random share of all labels, and with those labels alone."""
    images = list(images)
    draw = np.random.default_rng(seed)
    total = sum(len(image.labels) for image in images)
    gone = np.zeros(total, bool)
    gone[draw.permutation(total)[: round(share * total)]] = True
    kept, deleted, first = [], [], 0
    for image in images:
        here = torch.from_numpy(gone[first : first + len(image.labels)])
        first += len(image.labels)
        kept.append(image._replace(labels=image.labels[~here]))
        deleted.append(image._replace(labels=image.labels[here]))
    return kept, deleted


def hits(image: RawImage, rows: Sequence[Missing]) -> int:
    """How many of the listed boxes of an image are labels of it, each label once."""
    if not rows or not len(image.labels):
        return 0
    ordered = sorted(rows, key=lambda each: -each.confidence)
    overlap = box_iou(np.array([each.box for each in ordered]), native_labels(image).numpy().astype(np.float64))
    same = np.array([each.kind for each in ordered])[:, None] == image.labels[:, 0].numpy()
    return int((match(overlap * same, 0.5) != NONE).sum())


if __name__ == "__main__":
    main()
