"""How large raw data may be before it is refused: what a damaged or hostile file can make us allocate."""

from __future__ import annotations

from pydantic import Field

from data_prep.validation import FrozenModel

_MIB = 2**20


class Limits(FrozenModel):
    """Upper bounds; raise one in the configuration when honest data needs it."""

    image_pixels: int = Field(default=100_000_000, gt=0)
    """Width times height of a picture, from its header: beyond, it is not decoded (a decompression bomb)."""

    image_bytes: int = Field(default=256 * _MIB, gt=0)
    """Size of one picture file, unpacked."""

    label_bytes: int = Field(default=16 * _MIB, gt=0)
    """Size of a label file that describes one picture, unpacked."""

    annotation_bytes: int = Field(default=1024 * _MIB, gt=0)
    """Size of a file that describes a whole data set (COCO JSON, box CSV), unpacked."""

    archive_bytes: int = Field(default=1024**2 * _MIB, gt=0)
    """Size of all members of one archive, unpacked."""

    archive_members: int = Field(default=1_000_000, gt=0)
    """Number of members of one archive."""

    archive_ratio: float = Field(default=200, ge=1, allow_inf_nan=False)
    """Unpacked size by packed size, of an archive and of each member above 1 MiB: beyond, it is a bomb."""
