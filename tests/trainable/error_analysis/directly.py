"""The oracle of the kinds of errors: Bolya et al. 2020, sections 2.2 and 2.3, one box after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tests.trainable.scenes import overlap
from trainable.error_analysis.pictures import Picture

FALSE_POSITIVES = ("classification", "localisation", "both", "duplicate", "background")


class Found(NamedTuple):
    """A detection: which picture, its class, confidence, ``right`` or a kind of error, and the label it is about."""

    picture: int
    kind: int
    confidence: float
    what: str
    label: tuple[int, int] | None


class Answer(NamedTuple):
    """Every detection, every label with its class, and the labels that were missed."""

    found: list[Found]
    labels: dict[tuple[int, int], int]
    missed: set[tuple[int, int]]


def judge(pictures: Sequence[Picture], tf: float, tb: float = 0.1) -> Answer:
    found: list[Found] = []
    labels: dict[tuple[int, int], int] = {}
    for number, each in enumerate(pictures):
        wanted = [(int(kind), tuple(box)) for kind, box in zip(each.label_kinds, each.label_boxes, strict=True)]
        labels |= {(number, place): kind for place, (kind, _) in enumerate(wanted)}
        taken: set[int] = set()
        first: list[tuple[int, int, float, list[float], int | None]] = []
        for row, (kind, sure, box) in enumerate(zip(each.kinds, each.confidences, each.boxes, strict=True)):
            ious = [overlap(tuple(box), other) for _, other in wanted]
            free = [i for i, (own, _) in enumerate(wanted) if own == kind and i not in taken and ious[i] >= tf]
            best = max(free, key=lambda i: (ious[i], i), default=None)
            if best is not None:
                taken.add(best)
            first.append((row, int(kind), float(sure), ious, best))
        for _, kind, sure, ious, best in first:
            what, label = ("right", best) if best is not None else _kind(kind, ious, [w[0] for w in wanted], tf, tb)
            found.append(Found(number, kind, sure, what, None if label is None else (number, label)))
    found.sort(key=lambda each: -each.confidence)
    touched = {each.label for each in found}
    return Answer(found, labels, {label for label in labels if label not in touched})


def _kind(kind: int, ious: list[float], kinds: list[int], tf: float, tb: float) -> tuple[str, int | None]:
    own = [i for i, other in enumerate(kinds) if other == kind]
    others = [i for i, other in enumerate(kinds) if other != kind]
    best = max(own, key=lambda i: (ious[i], -i), default=None)
    other = max(others, key=lambda i: (ious[i], -i), default=None)
    if best is not None and tb <= ious[best] < tf:
        return "localisation", best
    if other is not None and ious[other] >= tf:
        return "classification", other
    if best is not None and ious[best] >= tf:
        return "duplicate", None  # it is of the label's class and place, so another one had the label before
    if other is not None and ious[other] >= tb:
        return "both", None
    return "background", None


def average_precision(answer: Answer, kind: int, mended: Collection[str]) -> float:
    """Of one class that has labels, with the errors of some kinds mended by an oracle."""
    used = {each.label for each in answer.found if each.what == "right"}
    ranking: list[tuple[float, bool]] = []
    for each in answer.found:  # the most confident first, so that it has a label before the others
        own, right = each.kind, each.what == "right"
        if each.what in mended:
            if each.what not in ("classification", "localisation") or each.label in used:
                continue
            used.add(each.label)
            assert each.label is not None
            own, right = answer.labels[each.label], True
        if own == kind:
            ranking.append((each.confidence, right))
    labels = {label for label, own in answer.labels.items() if own == kind}
    if "missed" in mended:
        labels -= answer.missed
    if not labels:
        return 1.0
    precisions, hits, area = [], 0, 0.0
    for count, (_, right) in enumerate(ranking, 1):
        hits += right
        precisions.append((hits / count, right))
    for place, (_, right) in enumerate(precisions):
        if right:  # the curve steps by one label, at the best precision from there on
            area += max(precision for precision, _ in precisions[place:]) / len(labels)
    return area
