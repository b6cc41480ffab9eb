"""Contact sheets: a few pictures with their boxes drawn in, small enough to stand in a page."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from data_prep.eda.charts import class_colour
from data_prep.findings import Finding, Severity
from data_prep.pool import threaded_map
from data_prep.progress import Progress
from data_prep.records import Box, ImageRecord, Source

#: Pictures on one sheet.
SHEET_PICTURES = 12

#: Pictures on all sheets of classes together: it bounds the page's size.
ALL_PICTURES = 240

#: Colour of what a picture is shown for; no class has it.
MARK = "#ffe14d"

_SIDE = 360  # pixels of the longer side
Read = Callable[[Source], bytes]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture that a sheet is to show.

    Attributes:
        record:
            The picture.
        caption:
            What stands below it.
        class_id:
            Class whose boxes are drawn in full; those of others are thin. None: all in full.
        marked:
            Boxes that the picture is shown for, drawn in full in :data:`MARK`; the picture's own are thin then.
        view:
            The part of the picture that is shown; None shows all of it. Its class means nothing.
    """

    record: ImageRecord
    caption: str
    class_id: int | None = None
    marked: tuple[Box, ...] = ()
    view: Box | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a sheet.

    Attributes:
        caption:
            What stands below it.
        jpeg:
            The drawn picture; empty where it could not be read.
        width:
            Pixels.
        height:
            Pixels.
    """

    caption: str
    jpeg: bytes = b""
    width: int = 0
    height: int = 0


def choose(records: Sequence[ImageRecord], count: int, seed: Sequence[int]) -> list[ImageRecord]:
    """Choose up to ``count`` pictures that can be shown, at random by the seed and not by their order."""
    able = sorted((record for record in records if record.source is not None), key=lambda record: record.key)
    chosen = np.random.default_rng(seed).permutation(len(able))[:count]
    return [able[index] for index in sorted(chosen)]


def class_sheets(records: Sequence[ImageRecord], classes: Sequence[int], seed: int) -> dict[int, list[Wanted]]:
    """Choose pictures per class; with many classes, fewer of each.

    Args:
        records:
            All pictures.
        classes:
            Class ids for which there is to be a sheet.
        seed:
            Of the choice.
    """
    count = max(1, min(SHEET_PICTURES, ALL_PICTURES // max(len(classes), 1)))
    members: dict[int, list[ImageRecord]] = {class_id: [] for class_id in classes}
    for record in records:
        for class_id in {box.class_id for box in record.boxes}:
            if class_id in members:
                members[class_id].append(record)
    return {
        class_id: [
            Wanted(record, f"{record.file_name}: {_count(record, class_id)}", class_id)
            for record in choose(members[class_id], count, (seed, class_id))
        ]
        for class_id in classes[:ALL_PICTURES]
    }


def worst_sheet(records: Sequence[ImageRecord], findings: Iterable[Finding]) -> list[Wanted]:
    """Choose the pictures with the most errors, then with the most warnings; notes do not count."""
    errors: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    for finding in findings:
        if finding.image and finding.severity is not Severity.NOTE:
            errors[finding.image] += finding.severity is Severity.ERROR
            kinds.setdefault(finding.image, Counter())[finding.kind.value] += 1
    able = [record for record in records if record.source is not None and record.key in kinds]
    able.sort(key=lambda record: (-errors[record.key], -kinds[record.key].total(), record.key))
    return [Wanted(record, _findings_caption(record, kinds[record.key])) for record in able[:SHEET_PICTURES]]


def draw_sheets(sheets: Mapping[str, Sequence[Wanted]], read: Read, progress: Progress) -> dict[str, list[Shown]]:
    """Draw every picture of every sheet, in threads.

    Args:
        sheets:
            What to show, by the name of the sheet.
        read:
            Returns the bytes of a file; :exc:`data_prep.errors.InputError` where they cannot be read.
        progress:
            Told of every picture as stage ``draw``.
    """
    jobs = [(name, wanted) for name, sheet in sheets.items() for wanted in sheet]
    found: dict[str, list[Shown]] = {name: [] for name in sheets}
    drawn = threaded_map(lambda job: _show(job[1], read), jobs)
    for done, ((name, _), shown) in enumerate(zip(jobs, drawn, strict=True), start=1):
        found[name].append(shown)
        progress("draw", done, len(jobs))
    return found


def _show(wanted: Wanted, read: Read) -> Shown:
    source = wanted.record.source
    try:
        if source is None:
            return Shown(wanted.caption)
        with Image.open(io.BytesIO(read(source))) as opened:
            if wanted.view is None:
                opened.draft("RGB", (_SIDE, _SIDE))  # a JPEG is decoded no larger than it is needed
            picture = _eight_bits(ImageOps.exif_transpose(opened)).convert("RGB")
    except Exception:  # the file is gone or damaged by now: Pillow lets through whatever its parsers stumble over
        return Shown(wanted.caption)
    if wanted.view is None:
        picture.thumbnail((_SIDE, _SIDE))
    else:  # a small part is enlarged
        picture = ImageOps.contain(picture.crop(_whole(wanted.view)), (_SIDE, _SIDE))
    _draw_boxes(picture, wanted)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=72, optimize=True)
    return Shown(wanted.caption, content.getvalue(), *picture.size)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Scale 16 bits a pixel as OpenCV does; Pillow would cut them off at white."""
    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)) if picture.mode.startswith("I") else picture


def _draw_boxes(picture: Image.Image, wanted: Wanted) -> None:
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = _whole(wanted.view) if wanted.view else (0, 0, wanted.record.width, wanted.record.height)
    across, down = picture.width / (right - left), picture.height / (bottom - top)

    def outline(box: Box, colour: str, *, full: bool) -> None:
        xs, ys = (
            [round((x - left) * across) for x in (box.x1, box.x2)],
            [round((y - top) * down) for y in (box.y1, box.y2)],
        )
        if full:
            # A dark edge, so that the line shows on a ground of its own colour.
            draw.rectangle((xs[0] - 1, ys[0] - 1, xs[1] + 1, ys[1] + 1), outline="black")
        draw.rectangle((xs[0], ys[0], xs[1], ys[1]), outline=colour, width=3 if full else 1 + bool(wanted.marked))

    for box in sorted(wanted.record.boxes, key=lambda box: box.class_id == wanted.class_id):
        full = wanted.class_id is None or box.class_id == wanted.class_id
        outline(box, class_colour(box.class_id), full=full and not wanted.marked)
    for box in wanted.marked:
        outline(box, MARK, full=True)


def _whole(view: Box) -> tuple[int, int, int, int]:
    """Whole pixels, at least one each way."""
    left, top = math.floor(view.x1), math.floor(view.y1)
    return left, top, max(math.ceil(view.x2), left + 1), max(math.ceil(view.y2), top + 1)


def _count(record: ImageRecord, class_id: int) -> str:
    count = sum(box.class_id == class_id for box in record.boxes)
    return f"{count} of {len(record.boxes)} boxes" if count != len(record.boxes) else f"{count} box{'es' * (count > 1)}"


def _findings_caption(record: ImageRecord, kinds: Counter[str]) -> str:
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return f"{record.file_name}: " + ", ".join(f"{kind} ({count})" for kind, count in ordered)
