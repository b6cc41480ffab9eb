"""What ``hypsweep silver`` made, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_prep.manifest import Manifest
from data_prep.silver.export import CONFIG_KEY, Judged
from data_prep.silver.gold import LeftOut
from data_prep.split import Split


class SilverSummary(NamedTuple):
    """What was made.

    Attributes:
        data:
            The ``data.yaml`` of the new data set.
        manifest:
            Its manifest.
        judged:
            Every offered picture.
        left_out:
            Pictures of the gold data set that cannot be read.
        capped:
            Pictures of which not all candidates were kept.
        seen_val:
            Whether the weights were trained on pictures of ``val``; None where nobody knows.
    """

    data: Path
    manifest: Manifest
    judged: Sequence[Judged]
    left_out: tuple[LeftOut, ...]
    capped: int
    seen_val: bool | None

    @property
    def added(self) -> dict[str, int]:
        """Silver boxes by class name."""
        train, gold = self.manifest.splits[Split.TRAIN.value], self.manifest.splits[Split.GOLD.value]
        return {name: train.boxes[name] - gold.boxes[name] for name in self.manifest.names}

    def counts(self) -> dict[str, int]:
        """How many pictures became what."""
        taken = [each for each in self.judged if each.offer.reason is None and each.merged is not None]
        gold = [each for each in taken if each.offer.gold]
        changed = sum(1 for each in gold if each.merged is not None and len(each.merged.added))
        refused = Counter(each.offer.reason.name.lower() for each in self.judged if each.offer.reason is not None)
        return {
            "offered": len(self.judged),
            "gold_with_boxes_added": changed,
            "gold_with_nothing_new": len(gold) - changed,
            "new_taken": len(taken) - len(gold),
            **{f"without_{name}": count for name, count in sorted(refused.items())},
        }

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` shows."""
        return {
            "data": str(self.data),
            "manifest_sha256": self.manifest.digest,
            "pictures": self.counts(),
            "boxes_added": self.added,
            "gold_left_out": [each._asdict() for each in self.left_out],
            "left_out": [
                {"file": each.offer.name, "reason": each.offer.reason.name.lower(), "detail": each.offer.detail}
                for each in self.judged
                if each.offer.reason is not None
            ],
            "pictures_with_more_candidates_than_kept": self.capped,
            **self.manifest.config[CONFIG_KEY],
        }
