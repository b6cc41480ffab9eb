"""What one label says about its picture, while class names are not yet class ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from data_prep.errors import InputError
from data_prep.findings import Flaw, Kind
from data_prep.names import shown
from data_prep.readers.parsing import BadLabelError, Corners
from data_prep.records import UNKNOWN_CLASS_ID, Box, RawImage, Source


@dataclass(slots=True)
class Draft:
    """Collects the objects and flaws of one picture.

    Attributes:
        file:
            Its label, as reports name it.
        size:
            ``(width, height)`` in pixels as the label states it.
        objects:
            Class as the label names it, corners, and where in the label that stands.
        flaws:
            What is wrong so far.
    """

    file: str = ""
    size: tuple[int, int] | None = None
    objects: list[tuple[str | int, Corners, str]] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    def add(self, name: str | int, corners: Corners, where: str, mark: tuple[Kind, str] | None = None) -> None:
        """Add an object; ``mark`` is a flaw of its box: the kind and why."""
        if mark is not None:
            self.flaws.append(Flaw(mark[0], f"{where}: {mark[1]}", len(self.objects), self.file))
        self.objects.append((name, corners, where))

    def complain(self, detail: object, kind: Kind = Kind.UNREADABLE_LABEL) -> None:
        """Note that something is wrong with the picture or its label as a whole."""
        self.flaws.append(Flaw(kind, str(detail), file=self.file))

    @contextmanager
    def reading(self, where: str = "") -> Iterator[None]:
        """Turn a :class:`.parsing.BadLabelError` into a flaw that names the place in the label, and go on."""
        try:
            yield
        except BadLabelError as error:
            self.complain(f"{where}: {error}" if where else error)

    def image(
        self,
        key: str,
        source: Source | None,
        ids: Mapping[str | int, int],
        *,
        split: str | None = None,
        normalised: bool = False,
    ) -> RawImage:
        """Return the picture, its boxes with class ids; a class that ``ids`` lacks is a flaw of its box."""
        boxes, flaws = [], list(self.flaws)
        for index, (name, corners, where) in enumerate(self.objects):
            class_id = ids.get(name, UNKNOWN_CLASS_ID)
            boxes.append(Box(class_id, *corners))
            if class_id == UNKNOWN_CLASS_ID:
                detail = f"{where}: the class {shown(name)} is not listed"
                flaws.append(Flaw(Kind.UNKNOWN_CLASS, detail, index, self.file))
        return RawImage(key, source, tuple(boxes), normalised, self.size, tuple(flaws), split)


def ids_of(names: Iterable[str]) -> dict[str | int, int]:
    """Return class ids by name, as :meth:`Draft.image` takes them."""
    return {name: class_id for class_id, name in enumerate(names)}


def unlabelled() -> Draft:
    """Return the draft of a picture that no label belongs to."""
    draft = Draft()
    draft.complain("no label belongs to it", Kind.IMAGE_WITHOUT_LABEL)
    return draft


def class_ids(
    classes: tuple[str, ...] | None, drafts: Iterable[Draft], place: Source
) -> tuple[tuple[str, ...], dict[str | int, int]]:
    """Return the class names and their ids.

    Args:
        classes:
            Those of the configuration; None takes all that the labels name, sorted.
        drafts:
            What the labels say.
        place:
            Where the labels lie, for the message.

    Raises:
        InputError: The labels name no class at all.
    """
    if classes is None:
        classes = tuple(sorted({str(name) for draft in drafts for name, _, _ in draft.objects}))
    if not classes:
        raise InputError(f"{place} names no class, because no box in it can be read; correct it or set `classes`")
    return classes, ids_of(classes)
