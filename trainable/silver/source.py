"""Which pictures are offered for silver labels."""

from __future__ import annotations

from pathlib import Path

from data_prep.dataset import DatasetYaml
from data_prep.errors import InputError
from data_prep.examine import Journal, examine_images
from data_prep.progress import Progress
from data_prep.records import RawImage, Source
from data_prep.silver.gold import GoldSet
from data_prep.silver.offers import Offer, Offered, gold_offers, sort_offers
from data_prep.store import RawStore
from trainable.predict.sources import found_pictures
from trainable.yolov5_parts import VID_FORMATS


def require_outside(out: Path, data: DatasetYaml, source: str | Path | None) -> None:
    """Refuse a target among the pictures that are read: the next run would take it for some of them.

    Raises:
        InputError: It is one.
    """
    places = [entry for entries in data.splits.values() for entry in entries]
    for place in (*places, *([] if source is None else [Path(source).resolve()])):
        if place.is_dir() and out.is_relative_to(place):
            raise InputError(f"{out} lies in {place}, where pictures are read; choose another folder by --out.")


def listed_pictures(path: Path, store: RawStore) -> tuple[list[Source], list[str]]:
    """The pictures of a source, and their names.

    Raises:
        InputError: It is not there, holds no picture, is dangerous, or is a video.
    """
    if path.suffix.lower().removeprefix(".") in VID_FORMATS and path.is_file():
        raise InputError(f"{path} is a video; save the frames to train on as pictures and name their folder.")
    return found_pictures(store, path, "train")


def offers_of(
    gold: GoldSet,
    listed: tuple[list[Source], list[str]] | None,
    distance: int,
    store: RawStore,
    progress: Progress,
    journal: Journal,
) -> list[Offer]:
    """What may become of the pictures of a source; of those of gold train where there is none.

    Args:
        gold:
            The gold data set.
        listed:
            As :func:`listed_pictures` returns them; None for no source.
        distance:
            How much pictures may differ and look the same.
        store:
            Reads them.
        progress:
            Told of each as stage ``look``.
        journal:
            Spares pictures that were looked at before.
    """
    if listed is None:
        return gold_offers(gold, distance)
    sources, names = listed
    images = [RawImage(name, each) for name, each in zip(names, sources, strict=True)]
    seen = examine_images(images, store, progress, journal)
    offered = sorted(map(Offered, names, sources, seen), key=lambda each: each.name)
    return sort_offers(gold, offered, distance)
