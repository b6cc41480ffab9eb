"""Reads pictures that have no labels and need none, because no object of any class is on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from data_prep.findings import Kind, Policy
from data_prep.progress import Progress
from data_prep.readers.base import unique_keys
from data_prep.readers.matching import common_root, inner_path, pictures_in
from data_prep.records import RawDataset, RawImage
from data_prep.store import RawStore
from data_prep.validation import ConfigPath, FrozenModel


class ImagesReader(FrozenModel):
    """Settings of the reader of background pictures, and the reader itself (see :class:`.base.Reader`)."""

    usual: ClassVar[Mapping[Kind, Policy]] = {Kind.IMAGE_WITHOUT_LABEL: Policy.KEEP}

    reader: Literal["images"] = "images"
    """Chooses this reader."""

    images: ConfigPath
    """Folder, zip or tar with the pictures."""

    def read(self, store: RawStore, progress: Progress) -> RawDataset:
        """Return every picture without a box and without a flaw; the data set has no class names.

        Raises:
            InputError: The folder or archive cannot be read or holds no picture.
        """
        sources = pictures_in(store, self.images, "images")
        keys = unique_keys(sources, [inner_path(source, self.images) for source in sources])
        images = []
        for key, source in zip(keys, sources, strict=True):
            images.append(RawImage(key, source))
            progress("read", len(images), len(sources))
        return RawDataset((), tuple(images), common_root(self.images))
