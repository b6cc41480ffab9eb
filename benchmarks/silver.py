"""Which silver boxes fall on labels that are missing: some gold boxes are taken away, and the rule is asked again.

    python benchmarks/silver.py --data datasets/livestock_silver

Takes no network: the candidates lie in the data set that `hypsweep silver` wrote. The weights may have been trained
with the boxes that are taken away, which flatters all shares; what the thresholds do to them can be compared. Prints
one JSON line last.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.silver.merge import corners_of, pair_iou
from data_prep.silver.rule import SilverRule
from trainable.silver.file import SILVER_PARQUET, SilverPicture, read_pictures
from trainable.silver.labels import silver_labels

CONFIDENCES, MERGE_IOUS = (0.25, 0.5, 0.7), (0.5, 0.3, 0.1)
MATCH = 0.5


class Thinned(NamedTuple):
    picture: SilverPicture
    gone: np.ndarray


class Found(NamedTuple):
    added: int
    on_a_box_taken_away: int
    boxes_found_again: int


def thin(folder: Path, share: float, seed: int) -> list[Thinned]:
    """Gold pictures without a share of their boxes, and the boxes that were taken away."""
    generator, thinned = np.random.default_rng(seed), []
    for picture in read_pictures(folder / SILVER_PARQUET):
        gone = generator.random(len(picture.labels)) < share
        if picture.gold:
            thinned.append(Thinned(picture._replace(labels=picture.labels[~gone]), picture.labels[gone]))
    return thinned


def ask(thinned: list[Thinned], rule: SilverRule) -> Found:
    added = hit = again = 0
    for picture, gone in thinned:
        rows = silver_labels(picture.candidates, picture.labels, rule).added
        boxes, missing = (corners_of(each[:, 1:].astype(np.float64)) for each in (rows, gone))
        same = (pair_iou(boxes, missing) >= MATCH) & (rows[:, :1] == gone[:, 0][None])
        added, hit, again = added + len(rows), hit + int(same.any(1).sum()), again + int(same.any(0).sum())
    return Found(added, hit, again)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    thinned = thin(given.data, given.share, given.seed)
    results = []
    for confidence in CONFIDENCES:
        for merge_iou in MERGE_IOUS:
            found = ask(thinned, SilverRule(confidence=confidence, merge_iou=merge_iou))
            print(f"confidence {confidence} merge_iou {merge_iou}: {found}")
            results.append({"confidence": confidence, "merge_iou": merge_iou, **found._asdict()})
    print(json.dumps({"taken_away": sum(len(each.gone) for each in thinned), "rules": results}))


if __name__ == "__main__":
    main()
