"""Writes a data set with silver labels: ``train`` with them, ``gold`` without, and the rest as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.export import LabelOf, LinkMode, Workplace, write_data_yamls, write_lists, write_pictures
from data_prep.files import file_sha256
from data_prep.manifest import FILES_NAME, MANIFEST_NAME, Manifest, hash_groups, hash_inputs, summarise
from data_prep.progress import Progress
from data_prep.records import ImageRecord
from data_prep.reports import hash_lines, table_csv
from data_prep.silver.gold import GoldSet, with_rows
from data_prep.silver.merge import Merged, label_lines
from data_prep.silver.offers import Offer, Reason
from data_prep.split import Records, Split
from data_prep.store import RawStore

SILVER_CSV = "silver.csv"
COLUMNS = ("file", "kind", "gold_boxes", "predicted_boxes", "added_boxes", "dropped_boxes", "verdict")
#: Key of :attr:`data_prep.manifest.Manifest.config` that says how the silver labels came to be.
CONFIG_KEY = "silver"

WriteMore = Callable[[Path], Sequence[str]]


@dataclass(frozen=True)
class Judged:
    """An offered picture and what its predictions made of it.

    Attributes:
        offer:
            The picture; with a reason where it gets no silver labels, also where it had too few predictions.
        merged:
            What they add; None where nothing was predicted.
    """

    offer: Offer
    merged: Merged | None = None

    @property
    def in_train(self) -> bool:
        """Whether it is a picture of the new ``train``."""
        return self.offer.reason is None or (self.offer.gold and self.offer.reason is not Reason.REPEATED)


def judge(offer: Offer, merged: Merged, least: int) -> Judged:
    """Put predictions beside their picture.

    Args:
        offer:
            The picture.
        merged:
            What its predictions add.
        least:
            ``min_boxes`` of the rule.
    """
    if not merged.taken:
        boxes = "box" if merged.predicted == 1 else "boxes"
        offer = replace(offer, reason=Reason.FEW, detail=f"{merged.predicted} {boxes}, at least {least} are wanted")
    return Judged(offer, merged)


@dataclass(frozen=True)
class SilverSet:
    """A data set with silver labels, before it is written.

    Attributes:
        gold:
            What it is made of.
        judged:
            Every offered picture.
        manifest:
            What is known before the first byte is written.
        splits:
            Pictures per split.
    """

    gold: GoldSet
    judged: Sequence[Judged]
    manifest: Manifest
    splits: Mapping[Split, Records]

    def labels(self) -> LabelOf:
        """Return what gives the content of a picture's label file."""
        added = {each.offer.record.key: each.merged.added for each in self.judged if each.in_train and each.merged}

        def label_of(split: Split, record: ImageRecord) -> str:
            text = self.gold.texts.get((Split.TRAIN if split is Split.GOLD else split, record.key), "")
            if split is not Split.TRAIN or not len(added.get(record.key, ())):
                return text
            return text + ("\n" if text and not text.endswith("\n") else "") + label_lines(added[record.key])

        return label_of


def plan_silver_set(gold: GoldSet, judged: Sequence[Judged], seed: int, config: Mapping[str, Any]) -> SilverSet:
    """Say what the data set will hold.

    Args:
        gold:
            The gold data set.
        judged:
            Every offered picture.
        seed:
            Of the gold data set's split.
        config:
            What the manifest says of how it was made.
    """
    records = {record.key: record for record in gold.splits[Split.TRAIN]}
    for each in judged:
        if each.in_train and each.merged is not None:
            record = each.offer.record
            rows = np.concatenate((gold.rows.get(record.key, each.merged.added[:0]), each.merged.added))
            records[record.key] = with_rows(record, rows)
    ordered = tuple(records[key] for key in sorted(records))
    splits = {Split.TRAIN: ordered, Split.GOLD: gold.splits[Split.TRAIN], Split.VALID: gold.splits[Split.VALID]}
    splits[Split.FULL] = tuple(sorted((*ordered, *gold.splits[Split.VALID]), key=lambda record: record.key))
    splits |= {Split.TEST: gold.splits[Split.TEST]} if Split.TEST in gold.splits else {}
    keys = {record.key: number for number, record in enumerate(splits[Split.FULL])}
    manifest = Manifest(
        names=gold.names,
        seed=seed,
        config=dict(config),
        inputs_sha256=hash_inputs({record for members in splits.values() for record in members}),
        findings={},
        groups=len(keys),
        groups_sha256=hash_groups(keys),
        splits={split.value: summarise(members, gold.names) for split, members in splits.items()},
    )
    return SilverSet(gold, judged, manifest, splits)


def write_silver_set(
    content: SilverSet, place: Workplace, store: RawStore, progress: Progress, write_more: WriteMore
) -> Manifest:
    """Write the data set into its workplace and give it its name, as the last step.

    Args:
        content:
            The data set.
        place:
            Where it grows.
        store:
            Gives the bytes of the pictures.
        progress:
            Told of every picture as stage ``write``.
        write_more:
            Writes further files into a folder; returns their names.

    Raises:
        InputError: A picture was changed meanwhile.
    """
    folder = place.draft(content.manifest.origin)
    hashes = write_pictures(content.splits, folder, store, LinkMode.HARDLINK, progress, content.labels())
    listed = write_lists(folder, content.splits, ())
    (folder / SILVER_CSV).write_text(silver_csv(content.judged), encoding="utf-8")
    listed += [SILVER_CSV, *write_more(folder)]
    hashes |= {name: file_sha256(folder / name) for name in listed}
    write_data_yamls(folder, place.out, content.gold.names, content.splits, 0)
    lines = hash_lines(hashes).encode()
    (folder / FILES_NAME).write_bytes(lines)
    whole = content.manifest.model_copy(update={"files_sha256": hashlib.sha256(lines).hexdigest()})
    (folder / MANIFEST_NAME).write_bytes(whole.to_bytes())
    place.publish()
    return whole


def silver_csv(judged: Sequence[Judged]) -> str:
    """Return a row per offered picture, sorted by file; gold pictures that were not offered are not among them."""
    return table_csv(COLUMNS, sorted(map(_row, judged)))


def _row(each: Judged) -> tuple[object, ...]:
    offer, merged = each.offer, each.merged
    file = f"images/train/{offer.record.file_name}" if each.in_train else offer.name
    verdict = "taken" if offer.reason is None else f"{offer.reason}: {offer.detail}"
    counts = (0, 0, 0) if merged is None else (merged.predicted, len(merged.added), merged.dropped)
    return file, "gold" if offer.gold else "new", len(offer.record.boxes), *counts, verdict
