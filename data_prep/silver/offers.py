"""Which pictures may get silver labels: those of gold train, and new ones; never what looks like val or test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from data_prep.checks import MIN_IMAGE_SIDE
from data_prep.gather import free_key
from data_prep.images import Examination
from data_prep.leaks import nearest_pairs
from data_prep.records import ImageRecord, RawImage, Source, safe_key
from data_prep.silver.gold import GoldSet, labelled
from data_prep.split import FOLDER_OF_KEY, Split

_KEY_OF = {split: key for key, split in FOLDER_OF_KEY.items()}


class Reason(StrEnum):
    """Why a picture gets no silver labels."""

    UNREADABLE = "cannot be read"
    LEAK = "looks like val or test"
    REPEATED = "offered twice"
    FEW = "too few boxes"


class Offered(NamedTuple):
    """A picture that somebody offers for silver labels, looked at.

    Attributes:
        name:
            What reports call it.
        source:
            Where it lies.
        seen:
            What was seen of it.
    """

    name: str
    source: Source
    seen: Examination


@dataclass(frozen=True)
class Offer:
    """What becomes of an offered picture.

    Attributes:
        name:
            What reports call it.
        record:
            The picture; a gold one has its key and gold boxes, a new one a key that no other has. One that cannot be
            used has the key that its name gives.
        gold:
            Whether it is a picture of gold train.
        reason:
            Why it gets no silver labels; None where predictions decide.
        detail:
            The same with names and figures.
    """

    name: str
    record: ImageRecord
    gold: bool
    reason: Reason | None = None
    detail: str = ""


def gold_offers(gold: GoldSet, distance: int) -> list[Offer]:
    """Offer the pictures of gold train themselves.

    Args:
        gold:
            The gold data set.
        distance:
            How much pictures may differ and look the same, see :func:`data_prep.near.find_pairs`.
    """
    records = gold.splits[Split.TRAIN]
    return _without_leaks([Offer(record.file_name, record, gold=True) for record in records], gold, distance)


def sort_offers(gold: GoldSet, offered: Iterable[Offered], distance: int) -> list[Offer]:
    """Say of each offered picture whether it is one of gold train, new, or not to be used.

    Args:
        gold:
            The gold data set.
        offered:
            The pictures, in an order that does not depend on the machine.
        distance:
            As in :func:`gold_offers`.
    """
    known: dict[str, list[ImageRecord]] = {}
    for record in gold.splits[Split.TRAIN]:
        known.setdefault(record.sha256, []).append(record)
    offers: list[Offer] = []
    first: dict[str, str] = {}
    broken = {record.sha256: record.file_name for split, record in gold.unlabelled if split is Split.TRAIN}
    for each in offered:
        offers += [_unless_broken(offer, broken) for offer in _sort_one(each, known, first)]
    return _with_own_keys(_without_leaks(offers, gold, distance), gold)


def _sort_one(each: Offered, known: Mapping[str, list[ImageRecord]], first: dict[str, str]) -> list[Offer]:
    name, source, seen = each
    record = labelled(RawImage(safe_key(source.stem), source), seen, np.zeros((0, 5), np.float32))
    if seen.flaw is not None:
        return [Offer(name, record, gold=False, reason=Reason.UNREADABLE, detail=_without_key(seen.flaw.detail))]
    if min(seen.width, seen.height) < MIN_IMAGE_SIDE:
        detail = f"has {seen.width} x {seen.height} px, too few for YOLOv5"
        return [Offer(name, record, gold=False, reason=Reason.UNREADABLE, detail=detail)]
    if seen.sha256 in first:
        detail = f"the same picture as {first[seen.sha256]}"
        return [Offer(name, record, gold=seen.sha256 in known, reason=Reason.REPEATED, detail=detail)]
    first[seen.sha256] = name
    twins = known.get(seen.sha256, ())
    return [Offer(name, twin, gold=True) for twin in twins] or [Offer(name, record, gold=False)]


def _unless_broken(offer: Offer, broken: Mapping[str, str]) -> Offer:
    """Leave out a picture of gold train whose label cannot be used: it is not new, and its gold boxes are unknown."""
    name = broken.get(offer.record.sha256)
    if name is None or offer.reason is not None or offer.gold:
        return offer
    return replace(offer, reason=Reason.UNREADABLE, detail=f"it is train/{name}, whose label cannot be used")


def _without_leaks(offers: Sequence[Offer], gold: GoldSet, distance: int) -> list[Offer]:
    """Give a reason to what equals or nearly equals a picture of val or test."""
    judged = gold.judged
    same = {record.sha256: f"{_KEY_OF[split]}/{record.file_name}" for split, record in reversed(judged)}
    asked = [index for index, offer in enumerate(offers) if offer.reason is None]
    mine, later = [offers[index].record for index in asked], [record for _, record in judged]
    near = {asked[pair.first]: pair for pair in nearest_pairs(mine, later, distance)}
    found = list(offers)
    for index in asked:
        sha256 = offers[index].record.sha256
        if sha256 in same:
            detail = f"the same picture as {same[sha256]}"
        elif index in near:
            split, other = judged[near[index].second - len(mine)]
            distance_here = near[index].distance
            detail = f"looks the same as {_KEY_OF[split]}/{other.file_name} (distance {distance_here})"
        else:
            continue
        found[index] = replace(offers[index], reason=Reason.LEAK, detail=detail)
    return found


def _with_own_keys(offers: Sequence[Offer], gold: GoldSet) -> list[Offer]:
    """Give each new picture a key that no other of train and val has."""
    taken = {record.key.casefold() for split in (Split.TRAIN, Split.VALID) for record in gold.splits[split]}
    return [
        offer
        if offer.gold or offer.reason is not None
        else replace(offer, record=replace(offer.record, key=free_key(offer.record.key, taken, "silver")))
        for offer in offers
    ]


def _without_key(detail: str) -> str:
    return detail.partition("; raise `limits.")[0]  # no key of a configuration that nobody wrote
