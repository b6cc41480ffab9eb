"""What can be wrong with a data set: kinds of findings, how grave each is and what may be done about it.

Nothing is mended in silence: whatever a policy does to the data is a finding that says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave a finding is."""

    ERROR = "error"
    """The data set is wrong there: a training on it would learn or judge something false."""

    WARNING = "warning"
    """Worth a look; many data sets have some."""

    NOTE = "note"
    """Something that was read in a certain way, and that the user should know of."""


class Policy(StrEnum):
    """What is done about a finding."""

    CLIP = "clip"
    """The box is cut at the picture's edge; what has no area then is dropped."""

    DROP = "drop"
    """What the finding is about is left out: the box, the picture with its boxes, or the label."""

    KEEP = "keep"
    """It stays as it is."""

    FAIL = "fail"
    """Nothing is prepared until the data or the policy is changed."""


class Kind(StrEnum):
    """What is wrong; the values are the keys under ``policies`` and the column ``kind`` of ``findings.csv``."""

    UNREADABLE_IMAGE = "unreadable_image"
    """The picture cannot be decoded, or ends too early."""

    OVERSIZED_IMAGE = "oversized_image"
    """The picture has more pixels or bytes than the limits allow."""

    UNDERSIZED_IMAGE = "undersized_image"
    """The picture has a side of less than 10 pixels: YOLOv5 leaves it out of training without a word."""

    UNREADABLE_LABEL = "unreadable_label"
    """The label of one picture is not what its format asks for, as a whole or in one row or object."""

    IMAGE_WITHOUT_LABEL = "image_without_label"
    """No label belongs to the picture; kept, it is background."""

    LABEL_WITHOUT_IMAGE = "label_without_image"
    """The trace of a lost picture."""

    CLASS_CONFLICT = "class_conflict"
    """The name of the picture says another class than its place; kept, the place counts."""

    UNKNOWN_CLASS = "unknown_class"
    """A box of a class that the data set does not have."""

    BOX_OUTSIDE = "box_outside"
    """A box reaches out of its picture."""

    BOX_WITHOUT_AREA = "box_without_area"
    """A box of zero or negative width or height."""

    DUPLICATE_BOX = "duplicate_box"
    """The same box of the same class twice in one picture."""

    CROWD_BOX = "crowd_box"
    """A region with many objects (COCO ``iscrowd``, Open Images ``IsGroupOf``) instead of one."""

    DIFFICULT_BOX = "difficult_box"
    """An object that the annotator found hard to see (Pascal VOC ``difficult``)."""

    SIZE_DISAGREEMENT = "size_disagreement"
    """The label states another picture size than the picture has; kept, the picture counts."""

    EXACT_DUPLICATE = "exact_duplicate"
    """Two files hold the same picture, byte for byte."""

    NEAR_DUPLICATE = "near_duplicate"
    """Two pictures in different splits look the same."""

    IGNORED_FIELD = "ignored_field"
    """The raw data has a field that is not read, though one might think so."""

    CHANGED_FILE = "changed_file"
    """A file of a prepared data set is not what its manifest says."""


#: How grave each kind is.
SEVERITIES: dict[Kind, Severity] = {
    Kind.UNREADABLE_IMAGE: Severity.ERROR,
    Kind.OVERSIZED_IMAGE: Severity.ERROR,
    Kind.UNDERSIZED_IMAGE: Severity.WARNING,
    Kind.UNREADABLE_LABEL: Severity.ERROR,
    Kind.IMAGE_WITHOUT_LABEL: Severity.WARNING,
    Kind.LABEL_WITHOUT_IMAGE: Severity.ERROR,
    Kind.CLASS_CONFLICT: Severity.ERROR,
    Kind.UNKNOWN_CLASS: Severity.ERROR,
    Kind.BOX_OUTSIDE: Severity.WARNING,
    Kind.BOX_WITHOUT_AREA: Severity.WARNING,
    Kind.DUPLICATE_BOX: Severity.WARNING,
    Kind.CROWD_BOX: Severity.NOTE,
    Kind.DIFFICULT_BOX: Severity.NOTE,
    Kind.SIZE_DISAGREEMENT: Severity.ERROR,
    Kind.EXACT_DUPLICATE: Severity.WARNING,
    Kind.NEAR_DUPLICATE: Severity.WARNING,
    Kind.IGNORED_FIELD: Severity.NOTE,
    Kind.CHANGED_FILE: Severity.ERROR,
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with one picture or one of its boxes, before a policy was applied.

    Attributes:
        kind:
            What is wrong.
        detail:
            The figures or words behind it, without the file's name: ``"width 0 px"``.
        box:
            Index of the box in the picture's boxes; None where the whole picture is meant.
        file:
            The file to look at where it is not the picture (its label, say), as shown to people; empty for the
            picture.
    """

    kind: Kind
    detail: str
    box: int | None = None
    file: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A flaw, where it lies and what was done about it: one row of ``findings.csv``.

    Attributes:
        kind:
            What is wrong.
        file:
            The file to look at, relative to the raw data's folder.
        detail:
            The figures or words behind it.
        image:
            Key of the picture; empty where there is none.
        policy:
            What was done.
    """

    kind: Kind
    file: str
    detail: str
    image: str = ""
    policy: Policy = Policy.KEEP

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return SEVERITIES[self.kind]
