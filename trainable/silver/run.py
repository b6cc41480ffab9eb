"""``hypsweep silver``: from weights and a data set to one with silver labels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep.dataset import DatasetYaml, read_data_yaml
from data_prep.errors import InputError
from data_prep.examine import Journal, examine_images
from data_prep.export import DATA_YAML, workplace
from data_prep.files import file_sha256
from data_prep.manifest import Manifest, read_manifest
from data_prep.near import DEFAULT_DISTANCE
from data_prep.progress import Progress, silent
from data_prep.records import RawImage, Source
from data_prep.silver.export import CONFIG_KEY, Judged, SilverSet, judge, plan_silver_set, write_silver_set
from data_prep.silver.gold import GoldSet, LeftOut, read_gold
from data_prep.silver.merge import Rows
from data_prep.silver.offers import Offer, Offered, gold_offers, sort_offers
from data_prep.silver.rule import SilverRule
from data_prep.split import Split
from data_prep.store import RawStore
from data_prep.targets import KEPT_SETTINGS
from trainable.bank_check import LIMITS
from trainable.detector import IMAGE_SIZE, load_detector, trained_image_size, trained_with
from trainable.predict.sources import found_pictures
from trainable.silver.file import MAX_CANDIDATES, SILVER_PARQUET, SilverPicture, writing
from trainable.silver.labels import Candidates, silver_labels
from trainable.silver.predict import predict_offers
from trainable.thresholds.seen import has_seen
from trainable.yolov5_parts import VID_FORMATS

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


class SilverSummary(NamedTuple):
    """What was made.

    Attributes:
        data:
            The ``data.yaml`` of the new data set.
        manifest:
            Its manifest.
        judged:
            Every offered picture.
        left_out:
            Pictures of the gold data set that cannot be read.
        capped:
            Pictures of which not all candidates were kept.
        seen_val:
            Whether the weights were trained on pictures of ``val``; None where nobody knows.
        gold_manifest:
            Digest of the gold data set's manifest; None where it has none.
    """

    data: Path
    manifest: Manifest
    judged: Sequence[Judged]
    left_out: tuple[LeftOut, ...]
    capped: int
    seen_val: bool | None
    gold_manifest: str | None

    @property
    def added(self) -> dict[str, int]:
        """Silver boxes by class name."""
        train, gold = self.manifest.splits[Split.TRAIN.value], self.manifest.splits[Split.GOLD.value]
        return {name: train.boxes[name] - gold.boxes[name] for name in self.manifest.names}

    def counts(self) -> dict[str, int]:
        """How many pictures became what."""
        taken = [each for each in self.judged if each.offer.reason is None and each.merged is not None]
        gold = [each for each in taken if each.offer.gold]
        changed = sum(1 for each in gold if each.merged is not None and len(each.merged.added))
        refused = Counter(each.offer.reason.name.lower() for each in self.judged if each.offer.reason is not None)
        return {
            "offered": len(self.judged),
            "gold_with_boxes_added": changed,
            "gold_with_nothing_new": len(gold) - changed,
            "new_taken": len(taken) - len(gold),
            **{f"without_{name}": count for name, count in sorted(refused.items())},
        }

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` shows."""
        return {
            "data": str(self.data),
            "manifest_sha256": self.manifest.digest,
            "pictures": self.counts(),
            "boxes_added": self.added,
            "gold_left_out": [each._asdict() for each in self.left_out],
            "left_out": [
                {"file": each.offer.name, "reason": each.offer.reason.name.lower(), "detail": each.offer.detail}
                for each in self.judged
                if each.offer.reason is not None
            ],
            "pictures_with_more_candidates_than_kept": self.capped,
            **self.manifest.config[CONFIG_KEY],
        }


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
    size = options.image_size or trained_image_size(weights) or IMAGE_SIZE
    about = {
        "weights_sha256": file_sha256(weights),
        "model": detector.definition,
        "image_size": detector.input_size(size)[1],
        "floor": options.floor,
        "candidates_per_picture": MAX_CANDIDATES,
    }
    seen = _seen_val(weights, data)
    _require_outside(out, data, source)
    with RawStore(LIMITS) as store, workplace(out) as place:
        listed = None if source is None else _listed(Path(source), store)
        with Journal(place.journal, LIMITS.model_dump_json()) as journal:
            gold = read_gold(data, store, progress, journal)
            offers = _offers(gold, listed, _distance(manifest), store, progress, journal)
        asked = [offer for offer in offers if offer.reason is None]
        if not asked:
            raise InputError(
                f"{source or data.file}: none of its {len(offers)} pictures can get silver labels; "
                f"{offers[0].name}: {offers[0].reason}: {offers[0].detail}."
            )
        found = list(predict_offers(detector, asked, store, place.folder / SILVER_PARQUET, about, progress))
        judged = _judged(offers, found, gold, options.rule)
        digest = manifest.digest if manifest else None
        config = _kept(manifest) | {
            CONFIG_KEY: {
                **about,
                "rule": options.rule.as_dict(),
                "gold_manifest_sha256": digest,
                "gold_sha256": gold.sha256,
                "source_sha256": _source_sha256(offers) if source is not None else None,
                "weights_have_seen_val": seen,
            }
        }
        content = plan_silver_set(gold, judged, manifest.seed if manifest else 0, config)

        def write_more(folder: Path) -> list[str]:
            _write_candidates(folder / SILVER_PARQUET, content, found, config[CONFIG_KEY])
            return [SILVER_PARQUET]

        written = write_silver_set(content, place, store, progress, write_more)
    capped = sum(len(each.confidences) == MAX_CANDIDATES for each in found)
    return SilverSummary(out / DATA_YAML, written, judged, gold.left_out, capped, seen, digest)


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


def _require_outside(out: Path, data: DatasetYaml, source: str | Path | None) -> None:
    """Refuse a target among the pictures that are read: the next run would take it for some of them."""
    places = [entry for entries in data.splits.values() for entry in entries]
    for place in (*places, *([] if source is None else [Path(source).resolve()])):
        if place.is_dir() and out.is_relative_to(place):
            raise InputError(f"{out} lies in {place}, where pictures are read; choose another folder by --out.")


def _listed(path: Path, store: RawStore) -> tuple[list[Source], list[str]]:
    """The pictures of a source, and their names."""
    if path.suffix.lower().removeprefix(".") in VID_FORMATS and path.is_file():
        raise InputError(f"{path} is a video; save the frames to train on as pictures and name their folder.")
    return found_pictures(store, path, "train")


def _offers(
    gold: GoldSet,
    listed: tuple[list[Source], list[str]] | None,
    distance: int,
    store: RawStore,
    progress: Progress,
    journal: Journal,
) -> list[Offer]:
    if listed is None:
        return gold_offers(gold, distance)
    sources, names = listed
    images = [RawImage(name, each) for name, each in zip(names, sources, strict=True)]
    seen = examine_images(images, store, progress, journal)
    offered = sorted(map(Offered, names, sources, seen), key=lambda each: each.name)
    return sort_offers(gold, offered, distance)


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


def _write_candidates(path: Path, content: SilverSet, found: Sequence[Candidates], about: dict[str, Any]) -> None:
    """Write the candidates of the pictures of the new train split."""
    with writing(path, about) as writer:
        for picture in _pictures(content, found):
            writer.add(picture)


def _pictures(content: SilverSet, found: Sequence[Candidates]) -> Iterator[SilverPicture]:
    asked = (each for each in content.judged if each.merged is not None)
    for each, candidates in zip(asked, found, strict=True):
        if each.in_train:
            offer = each.offer
            file = f"images/{Split.TRAIN}/{offer.record.file_name}"
            yield SilverPicture(file, offer.gold, candidates, _gold_rows(content.gold, offer))
