"""What is done about each kind of finding: the part ``policies`` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from data_prep.findings import Kind, Policy
from data_prep.validation import FrozenModel

_FailDrop = Literal[Policy.FAIL, Policy.DROP]
_FailDropKeep = Literal[Policy.FAIL, Policy.DROP, Policy.KEEP]
_FailDropClip = Literal[Policy.FAIL, Policy.DROP, Policy.CLIP]


class Policies(FrozenModel):
    """A policy per kind of finding; each kind allows what makes sense for it.

    ``drop`` leaves out the box where a box is meant, else the picture with its boxes. A ``keep`` that would
    make a wrong label (a box outside its picture, an unknown class) is not on offer.
    """

    unreadable_image: _FailDrop = Policy.FAIL
    """A picture that cannot be decoded or ends too early."""

    oversized_image: _FailDrop = Policy.FAIL
    """A picture beyond ``limits``."""

    undersized_image: _FailDropKeep = Policy.DROP
    """A picture with a side of less than 10 pixels, which YOLOv5 would leave out."""

    unreadable_label: _FailDrop = Policy.FAIL
    """A label that is not what its format asks for; ``drop`` leaves out its picture, too."""

    image_without_label: _FailDropKeep | None = None
    """A picture without label; ``keep`` takes it as background. None: what is usual for the format."""

    label_without_image: _FailDrop = Policy.FAIL
    """A label whose picture is missing."""

    class_conflict: _FailDropKeep = Policy.FAIL
    """A picture whose name says another class than its archive; ``keep`` believes the archive."""

    unknown_class: _FailDrop = Policy.FAIL
    """A box of a class that is not listed."""

    box_outside: _FailDropClip = Policy.CLIP
    """A box that reaches out of its picture."""

    box_without_area: _FailDrop = Policy.DROP
    """A box of zero or negative width or height."""

    duplicate_box: _FailDropKeep = Policy.DROP
    """The same box of the same class twice; YOLOv5 would drop the second in silence."""

    crowd_box: _FailDropKeep = Policy.DROP
    """A region with many objects; Ultralytics leaves it out, too."""

    difficult_box: _FailDropKeep = Policy.KEEP
    """An object marked as difficult."""

    size_disagreement: _FailDropKeep = Policy.FAIL
    """A label that states another picture size; ``keep`` reads its boxes against the picture as it is."""

    exact_duplicate: _FailDropKeep = Policy.KEEP
    """The same picture again; ``drop`` keeps the first by name."""

    near_duplicate: _FailDropKeep = Policy.KEEP
    """Pictures in different splits that look the same; ``drop`` takes them out of train, never out of valid or
    test. ``groups`` avoids them."""

    def of(self, kind: Kind, usual: Mapping[Kind, Policy]) -> Policy:
        """Return the policy of a kind.

        Args:
            kind:
                A kind of finding; one that no policy can change (a note) is kept.
            usual:
                What is usual for the reader's format, where the configuration says nothing.
        """
        chosen: Policy | None = getattr(self, kind.value, Policy.KEEP)
        return usual.get(kind, Policy.FAIL) if chosen is None else chosen
