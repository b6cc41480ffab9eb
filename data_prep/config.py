"""Settings of ``hypsweep prepare``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from data_prep.export.pictures import LinkMode
from data_prep.groups import AnyRelation
from data_prep.labels import CountBins, LabelKind, SizeThresholds, Stratification
from data_prep.limits import Limits
from data_prep.near import DEFAULT_DISTANCE
from data_prep.policies import Policies
from data_prep.readers import AnyReader
from data_prep.split import Fractions, Split
from data_prep.validation import ConfigPath, FrozenModel, load_model


class Background(FrozenModel):
    """Pictures without any object, added against false positives."""

    images: ConfigPath
    """Folder, zip or tar with the pictures; nothing of any class may be on them."""

    share: float = Field(gt=0, lt=1)
    """Share of empty pictures among all but ``test``, once they are added; those that the source has count."""


class PrepareConfig(FrozenModel):
    """Which raw data becomes which splits; with the raw data it determines labels, lists and manifest."""

    source: AnyReader
    """The raw data: ``reader`` names its format, the other keys are that reader's."""

    test_source: AnyReader | None = None
    """A second raw data set with the same classes, all of which becomes the ``test`` split; None for none."""

    background: Background | None = None
    """Empty pictures to add; None for none."""

    keep_splits: bool = False
    """Use the source's own train and val (an error where it has none), only add ``mini_train`` and ``full``.

    Otherwise train and val are pooled and split anew. The source's own test pictures stay ``test`` either
    way.
    """

    valid_fraction: float = Field(default=0.2, gt=0, lt=1)
    """Share of the pictures that go to ``valid``, those of a ``test_fraction`` not counted."""

    mini_fraction: float = Field(default=0.5, gt=0, lt=1)
    """Share of ``train`` that goes to ``mini_train``, by the same stratification."""

    test_fraction: float = Field(default=0, ge=0, lt=1)
    """Share of the pictures that are held out as ``test`` before all else; 0 for none."""

    folds: int = Field(default=0, ge=0, le=100)
    """Number of folds for cross-validation, over ``full``: ``fold_<i>.yaml`` and lists; 0 for none."""

    seed: int = Field(default=42, ge=0, lt=2**32)
    """Seed of the split."""

    stratify: tuple[LabelKind, ...] = Field(default=(LabelKind.CLASS, LabelKind.COUNT), min_length=1)
    """Which labels of a picture a split balances: ``class``, ``count``, ``ratio``, ``size``."""

    count_bins: dict[str, CountBins] = Field(default_factory=dict)
    """Thresholds of the box count per class name: ``[8, 13]`` means little < 8 <= medium < 13 <= many."""

    default_count_bins: CountBins = (4, 8)
    """Thresholds for the classes that ``count_bins`` does not name."""

    ratio_threshold: float = Field(default=0.6, gt=0.5, lt=1)
    """A box is horizontal from this share of width in width + height on, vertical from this share of height on."""

    size_thresholds: SizeThresholds = (100, 1_000, 10_000, 50_000, 100_000)
    """Areas in square pixels between out, very small, small, medium, large and very large."""

    groups: tuple[AnyRelation, ...] = ()
    """Which pictures belong together and stay on one side: frames of one video, a near-duplicate cluster."""

    near_duplicate_distance: int = Field(default=DEFAULT_DISTANCE, ge=0, le=127)
    """Bits out of 255 in which two pictures may differ and still look the same (:mod:`data_prep.near`)."""

    policies: Policies = Policies()
    """What is done about each kind of finding."""

    limits: Limits = Limits()
    """How large raw data may be."""

    link: LinkMode = LinkMode.HARDLINK
    """How one picture comes into several splits: ``hardlink``, ``symlink`` or ``copy``."""

    archives: bool = False
    """Write tar archives of the splits, too."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.keep_splits and self.test_fraction:
            raise ValueError("`test_fraction` splits anew and `keep_splits` does not; remove one of them")
        if self.folds == 1:
            raise ValueError("`folds` must be 0 or at least 2")
        return self

    @property
    def fractions(self) -> Fractions:
        """The shares, as :func:`data_prep.split.split` takes them."""
        return Fractions(valid=self.valid_fraction, mini=self.mini_fraction, test=self.test_fraction)

    @property
    def asked_shares(self) -> Mapping[Split, float] | None:
        """The share of each split that was asked for; None where the source's own splits are kept."""
        return None if self.keep_splits else self.fractions.shares

    @property
    def stratification(self) -> Stratification:
        """The label kinds and their thresholds."""
        return Stratification(
            kinds=self.stratify,
            count_bins=self.count_bins,
            default_count_bins=self.default_count_bins,
            ratio_threshold=self.ratio_threshold,
            size_thresholds=self.size_thresholds,
        )


def load_prepare_config(path: Path) -> PrepareConfig:
    """Read a configuration; relative paths in it are taken against its own folder.

    Raises:
        InputError: One sentence with file, key and remedy.
    """
    return load_model(path, PrepareConfig)
