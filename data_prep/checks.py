"""Holds labels against pictures and applies the policies: every change that is made is a finding.

Pure: nothing is read, nothing is written, and what comes in is not changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from data_prep.findings import Finding, Flaw, Kind, Policy
from data_prep.images import Examination
from data_prep.policies import Policies
from data_prep.records import UNKNOWN_CLASS_ID, Box, ImageRecord, RawDataset, RawImage

#: A side shorter than this, in pixels, is none: six digits of a normalised side could not show it.
MIN_SIDE = 0.01

#: A picture with a shorter side, in pixels, is passed over by YOLOv5 (``verify_image_label`` in
#: ``yolov5/utils/dataloaders.py``).
MIN_IMAGE_SIDE = 10


#: Own splits whose pictures are the original where a copy lies elsewhere, the first before the second.
_ORIGINALS: Mapping[str | None, int] = {"test": 0, "val": 1}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is left of a raw data set.

    Attributes:
        records:
            The pictures that stay, with the boxes that stay, in pixels and inside the picture.
        findings:
            All that was found, with what was done about it.
    """

    records: tuple[ImageRecord, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(slots=True)
class _Judge:
    """Applies the policies to one picture and writes down what it did."""

    policies: Policies
    usual: Mapping[Kind, Policy]
    image: RawImage
    file: str
    findings: list[Finding] = field(default_factory=list)

    def rule(self, flaw: Flaw, policy: Policy | None = None) -> Policy:
        """Decide about a flaw and note it."""
        decided = policy or self.policies.of(flaw.kind, self.usual)
        self.findings.append(Finding(flaw.kind, flaw.file or self.file, flaw.detail, self.image.key, decided))
        return decided


def check_images(
    raw: RawDataset, seen: Sequence[Examination], policies: Policies, usual: Mapping[Kind, Policy]
) -> Checked:
    """Check every picture of a raw data set.

    Where a policy is ``fail``, the finding says so and what it is about is left out: the caller refuses the
    whole.

    Args:
        raw:
            What the reader found.
        seen:
            What was seen of each of its images, in order.
        policies:
            What is done about each kind of finding.
        usual:
            What is usual for the reader's format where ``policies`` says nothing.
    """
    findings = [replace(finding, policy=policies.of(finding.kind, usual)) for finding in raw.findings]
    records = []
    for image, examination in zip(raw.images, seen, strict=True):
        file = image.key if image.source is None else image.source.beside(raw.root)
        judge = _Judge(policies, usual, image, file)
        record = _check_image(judge, examination)
        findings += judge.findings
        if record is not None:
            records.append(record)
    return Checked(tuple(records), tuple(findings))


def drop_duplicates(records: Iterable[ImageRecord], policies: Policies) -> Checked:
    """Find pictures that are the same, byte for byte.

    The first by name stays, one of ``test`` or ``val`` before all others: ``drop`` never takes a picture out of what
    is judged on for a copy in training.
    """
    listed = tuple(records)
    first: dict[str, ImageRecord] = {}
    findings, dropped = [], set()
    for record in sorted(listed, key=lambda item: (_ORIGINALS.get(item.source_split, len(_ORIGINALS)), item.key)):
        original = first.setdefault(record.sha256, record) if record.sha256 else record
        if original is not record:
            policy = policies.exact_duplicate
            other = "" if original.boxes == record.boxes else ", with other boxes"
            detail = f"the same picture as {original.file_name}{other}"
            findings.append(Finding(Kind.EXACT_DUPLICATE, record.file_name, detail, record.key, policy))
            if policy is not Policy.KEEP:
                dropped.add(id(record))
    return Checked(tuple(record for record in listed if id(record) not in dropped), tuple(findings))


def _check_image(judge: _Judge, seen: Examination) -> ImageRecord | None:
    image, flawed_boxes = judge.image, [flaw for flaw in judge.image.flaws if flaw.box is not None]
    of_image = [flaw for flaw in image.flaws if flaw.box is None]
    if seen.flaw is not None:
        judge.rule(seen.flaw)
        for flaw in image.flaws:  # they are reported, but nothing of the picture is left to act on
            judge.rule(flaw)
        return None
    of_image += _size_flaws(image, seen)
    decided = [judge.rule(flaw) for flaw in of_image]
    boxes = _check_boxes(judge, flawed_boxes, seen.width, seen.height)
    if any(policy in (Policy.DROP, Policy.FAIL) for policy in decided):
        return None
    return ImageRecord(
        image.key, image.source, seen.width, seen.height, boxes, image.source_split, seen.sha256, seen.thumbnail
    )


def _size_flaws(image: RawImage, seen: Examination) -> Iterator[Flaw]:
    if image.source is not None and min(seen.width, seen.height) < MIN_IMAGE_SIDE:
        yield Flaw(Kind.UNDERSIZED_IMAGE, f"it has {seen.width} x {seen.height} px")
    if image.stated_size is not None and image.stated_size != (seen.width, seen.height):
        stated = "{} x {}".format(*image.stated_size)
        detail = f"the label says {stated} px, the picture has {seen.width} x {seen.height} px"
        yield Flaw(Kind.SIZE_DISAGREEMENT, detail)


def _check_boxes(judge: _Judge, flaws: Sequence[Flaw], width: int, height: int) -> tuple[Box, ...]:
    """Return the boxes that stay, each once, inside the picture."""
    gone = {flaw.box for flaw in flaws if judge.rule(flaw) in (Policy.DROP, Policy.FAIL)}
    kept: list[Box] = []
    known: set[Box] = set()  # a label may hold hundreds of thousands of boxes
    for index, raw in enumerate(judge.image.boxes):
        if index in gone or raw.class_id == UNKNOWN_CLASS_ID:
            continue
        box = _to_pixels(raw, width, height) if judge.image.normalised else raw
        clipped = _check_box(judge, index, box, width, height)
        if clipped is None:
            continue
        if clipped in known and judge.rule(_flaw(Kind.DUPLICATE_BOX, index, box)) is not Policy.KEEP:
            continue
        kept.append(clipped)
        known.add(clipped)
    return tuple(kept)


def _check_box(judge: _Judge, index: int, box: Box, width: int, height: int) -> Box | None:
    if box.x2 - box.x1 < MIN_SIDE or box.y2 - box.y1 < MIN_SIDE:
        judge.rule(_flaw(Kind.BOX_WITHOUT_AREA, index, box))
        return None
    clipped = _clip(box, width, height)
    if max(-box.x1, -box.y1, box.x2 - width, box.y2 - height) <= MIN_SIDE:
        return clipped  # no more than the rounding of a YOLO label
    flaw = _flaw(Kind.BOX_OUTSIDE, index, box)
    if judge.image.source is None:  # a stated size is no edge to cut at, and nothing of this is exported
        judge.rule(flaw, Policy.KEEP)
        return box
    policy = judge.policies.of(flaw.kind, judge.usual)
    if clipped is None and policy is Policy.CLIP:
        policy = Policy.DROP  # nothing of it lies in the picture
    return clipped if judge.rule(flaw, policy) is Policy.CLIP else None


def _flaw(kind: Kind, index: int, box: Box) -> Flaw:
    corners = ", ".join(f"{corner:.6g}" for corner in (box.x1, box.y1, box.x2, box.y2))
    return Flaw(kind, f"box {index + 1} from left, upper to right, lower edge: {corners} px", index)


def _to_pixels(box: Box, width: int, height: int) -> Box:
    return Box(box.class_id, box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height)


def _clip(box: Box, width: int, height: int) -> Box | None:
    x1, x2 = max(box.x1, 0.0), min(box.x2, float(width))
    y1, y2 = max(box.y1, 0.0), min(box.y2, float(height))
    if x2 - x1 < MIN_SIDE or y2 - y1 < MIN_SIDE:
        return None
    return Box(box.class_id, x1, y1, x2, y2)
