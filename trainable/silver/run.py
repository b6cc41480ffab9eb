"""``hypsweep silver``: from weights and a data set to one with silver labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.dataset import DatasetYaml, read_data_yaml
from data_prep.errors import InputError
from data_prep.examine import Journal
from data_prep.export import DATA_YAML, workplace
from data_prep.files import file_sha256
from data_prep.manifest import Manifest, read_manifest
from data_prep.names import shown
from data_prep.near import DEFAULT_DISTANCE
from data_prep.progress import Progress, silent
from data_prep.silver.export import CONFIG_KEY, Judged, SilverSet, judge, plan_silver_set, write_silver_set
from data_prep.silver.gold import GoldSet, read_gold
from data_prep.silver.merge import Rows
from data_prep.silver.offers import Offer
from data_prep.silver.rule import SilverRule
from data_prep.split import Split
from data_prep.store import RawStore
from data_prep.targets import KEPT_SETTINGS
from trainable.bank_check import LIMITS
from trainable.detector import IMAGE_SIZE, Detector, load_detector, trained_image_size, trained_with
from trainable.silver.file import MAX_CANDIDATES, SILVER_PARQUET, SilverPicture, writing
from trainable.silver.labels import Candidates, silver_labels
from trainable.silver.predict import predict_offers
from trainable.silver.source import listed_pictures, offers_of, require_outside
from trainable.silver.summary import SilverSummary
from trainable.thresholds.seen import has_seen
from trainable.weights import load_checkpoint

FLOOR = 0.05
"""Least confidence of what is kept to try thresholds on; the competition's predictions began there."""


@dataclass(frozen=True, kw_only=True)
class SilverOptions:
    """How silver labels are made.

    Attributes:
        rule:
            Which predictions become labels.
        floor:
            Less confident predictions are not kept, so that no threshold below it can be tried later.
        image_size:
            Longer side of the network's input in pixels; None takes that of the training (``train.yaml`` beside the
            weights), else 640.
        model:
            Name of the model; None finds it out.
        device:
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        InputError: The floor is out of range, or above the rule's confidence.
    """

    rule: SilverRule = field(default_factory=SilverRule)
    floor: float = FLOOR
    image_size: int | None = None
    model: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.floor < 1:
            raise InputError(f"--floor is {self.floor:g}: give a number above 0 and below 1.")
        if self.rule.confidence < self.floor:
            raise InputError(
                f"--confidence is {self.rule.confidence:g} and --floor {self.floor:g}: nothing below the floor is "
                "kept; give a confidence of at least the floor, or a lower floor."
            )


def make_silver(
    weights: str | Path,
    dataset: str | Path,
    out: str | Path,
    source: str | Path | None = None,
    options: SilverOptions | None = None,
    progress: Progress = silent,
) -> SilverSummary:
    """Predict pictures and write a data set in which the predictions are labels, too.

    Args:
        weights:
            Of YOLOv5 or hypsweep, with the classes of the data set.
        dataset:
            The gold data set: its folder or its data.yaml.
        out:
            Folder of the new data set; absent or empty. It appears when all is done.
        source:
            Folder, archive, ``.txt`` list or picture, or a data.yaml, of which ``train`` is taken; None takes the
            pictures of gold train.
        options:
            How.
        progress:
            Told of each picture in the stages ``look``, ``predict`` and ``write``.

    Raises:
        DataMissingError: Pictures of the data set are missing.
        InputError: Weights, data set, source or an option are wrong, labels are polygons, or ``out`` is there already.
        WorkFailedError: The disk failed; run again to go on.
    """
    options, weights, out = options or SilverOptions(), Path(weights), Path(out).resolve()
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise InputError(f"{out} is there already; remove it, or choose another folder by --out.")
    data = read_data_yaml(_data_yaml(Path(dataset)))
    manifest = read_manifest(data.file.parent)
    detector = load_detector(weights, device=options.device, definition=options.model, names=data.names)
    _refuse_other_classes(weights, data)
    size = options.image_size or trained_image_size(weights) or IMAGE_SIZE
    about = _about(detector, size, options.floor)
    seen = _seen_val(weights, data)
    require_outside(out, data, source)
    with RawStore(LIMITS) as store, workplace(out) as place:
        listed = None if source is None else listed_pictures(Path(source), store)
        with Journal(place.journal, LIMITS.model_dump_json()) as journal:
            gold = read_gold(data, store, progress, journal)
            offers = offers_of(gold, listed, _distance(manifest), store, progress, journal)
        asked = _asked(offers, source or data.file)
        found = list(predict_offers(detector, asked, store, place.folder / SILVER_PARQUET, about, progress))
        judged = _judged(offers, found, gold, options.rule)
        made = {
            **about,
            "rule": options.rule.as_dict(),
            "gold_manifest_sha256": manifest.digest if manifest else None,
            "gold_sha256": gold.sha256,
            "source_sha256": _source_sha256(offers) if source is not None else None,
            "weights_have_seen_val": seen,
        }
        content = plan_silver_set(gold, judged, manifest.seed if manifest else 0, {**_kept(manifest), CONFIG_KEY: made})
        written = write_silver_set(content, place, store, progress, partial(_write_candidates, content, found, made))
    capped = sum(len(each.confidences) == MAX_CANDIDATES for each in found)
    return SilverSummary(out / DATA_YAML, written, judged, gold.left_out, capped, seen)


def _asked(offers: Sequence[Offer], source: str | Path) -> list[Offer]:
    """Those that the network is asked about."""
    asked = [offer for offer in offers if offer.reason is None]
    if not asked:
        first = offers[0]
        raise InputError(
            f"{source}: none of its {len(offers)} pictures can get silver labels; {first.name}: {first.reason}: "
            f"{first.detail}; offer others."
        )
    return asked


def _about(detector: Detector, size: int, floor: float) -> dict[str, Any]:
    """What the candidates of a picture depend on."""
    return {
        "weights_sha256": file_sha256(detector.weights),
        "model": detector.definition,
        "image_size": detector.input_size(size)[1],
        "floor": floor,
        "candidates_per_picture": MAX_CANDIDATES,
    }


def _refuse_other_classes(weights: Path, data: DatasetYaml) -> None:
    named = load_checkpoint(weights).names
    if named is not None and tuple(named) != tuple(data.names):
        raise InputError(
            f"{weights}: the weights have the classes {shown(', '.join(named))} and {data.file} has "
            f"{shown(', '.join(data.names))}: give weights of the same classes, or name them alike in the data.yaml."
        )


def _data_yaml(dataset: Path) -> Path:
    return dataset / DATA_YAML if dataset.is_dir() else dataset


def _seen_val(weights: Path, data: DatasetYaml) -> bool | None:
    trained = trained_with(weights)
    place = trained.get("data")
    if not isinstance(trained.get("train_split"), str) or not isinstance(place, str) or not Path(place).is_file():
        return None
    return has_seen(weights, data, "val") is not None


def _distance(manifest: Manifest | None) -> int:
    kept = manifest.config.get("near_duplicate_distance") if manifest else None
    return kept if type(kept) is int else DEFAULT_DISTANCE


def _kept(manifest: Manifest | None) -> dict[str, Any]:
    """What `check` and `eda` read in a manifest."""
    return {key: manifest.config[key] for key in KEPT_SETTINGS if key in manifest.config} if manifest else {}


def _judged(offers: Sequence[Offer], found: Sequence[Candidates], gold: GoldSet, rule: SilverRule) -> list[Judged]:
    candidates = iter(found)
    return [
        Judged(offer)
        if offer.reason is not None
        else judge(offer, silver_labels(next(candidates), _gold_rows(gold, offer), rule), rule.min_boxes)
        for offer in offers
    ]


def _gold_rows(gold: GoldSet, offer: Offer) -> Rows:
    return gold.rows[offer.record.key] if offer.gold else np.zeros((0, 5), np.float32)


def _source_sha256(offers: Sequence[Offer]) -> str:
    lines = (f"{offer.name} {offer.record.sha256}\n" for offer in offers)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _write_candidates(
    content: SilverSet, found: Sequence[Candidates], about: dict[str, Any], folder: Path
) -> list[str]:
    """Write the candidates of the pictures of the new train split; returns the file's name."""
    with writing(folder / SILVER_PARQUET, about) as writer:
        for picture in _pictures(content, found):
            writer.add(picture)
    return [SILVER_PARQUET]


def _pictures(content: SilverSet, found: Sequence[Candidates]) -> Iterator[SilverPicture]:
    asked = (each for each in content.judged if each.merged is not None)
    for each, candidates in zip(asked, found, strict=True):
        if each.in_train:
            offer = each.offer
            file = f"images/{Split.TRAIN}/{offer.record.file_name}"
            yield SilverPicture(file, offer.gold, candidates, _gold_rows(content.gold, offer))
