"""Settings of ``hypsweep prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from data_prep.readers import AnyReader
from data_prep.split import Fractions
from data_prep.validation import FrozenModel, load_model


def _ascending(bins: tuple[int, ...]) -> tuple[int, ...]:
    if list(bins) != sorted(set(bins)) or min(bins, default=1) < 1:
        raise ValueError("thresholds must be positive and ascend, as in [8, 13]")
    return bins


#: Thresholds of box counts: ``[8, 13]`` means little < 8 <= medium < 13 <= many.
CountBins = Annotated[tuple[int, ...], AfterValidator(_ascending)]


class PrepareConfig(FrozenModel):
    """Which raw data becomes which splits; with the raw data it determines labels and manifest."""

    source: AnyReader
    """The raw data: ``reader`` names its format, the other keys are that reader's."""

    test_source: AnyReader | None = None
    """A second raw data set with the same classes, all of which becomes the ``test`` split; None for none."""

    keep_splits: bool = False
    """Use the source's own train and val (an error where it has none), only add ``mini_train`` and ``full``.

    Otherwise train and val are pooled and split anew. The source's own test pictures stay ``test`` either
    way.
    """

    valid_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of the pictures that go to ``valid``; 0.2 is the first of five stratified folds."""

    mini_fraction: float = Field(default=0.5, gt=0, lt=1)
    """Share of ``train`` that goes to ``mini_train``, by the same stratification."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the split."""

    count_bins: dict[str, CountBins] = Field(default_factory=dict)
    """Thresholds of the box count per class name, for the stratification."""

    default_count_bins: CountBins = (4, 8)
    """Thresholds for the classes that ``count_bins`` does not name."""

    @property
    def fractions(self) -> Fractions:
        """The two shares, as :func:`data_prep.split.split` takes them."""
        return Fractions(valid=self.valid_fraction, mini=self.mini_fraction)


def load_prepare_config(path: Path) -> PrepareConfig:
    """Read a configuration; relative paths in it are taken against its own folder.

    Raises:
        InputError: One sentence with file, key and remedy.
    """
    return load_model(path, PrepareConfig)
