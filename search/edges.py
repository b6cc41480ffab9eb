"""Best values at the edge of their range: the search could not go on where it was heading.

Source: the tuning playbook's "Identifying bad search space boundaries".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import optuna

from search.config_files import SPACE_YAML
from search.parameters import FloatParameter, IntParameter

if TYPE_CHECKING:
    from search.results import BestTrial
    from search.space import Space

NEAR = 0.01
"""So much of a range, on its own scale, counts as its edge."""
_SHARE = (0.0, 1.0)
NATURAL = {
    "lrf": _SHARE,
    "momentum": _SHARE,
    "warmup_momentum": _SHARE,
    "iou_t": _SHARE,
    "anchor_t": (1.0, math.inf),
    "anchors": (1.0, math.inf),
    "hsv_h": _SHARE,
    "hsv_s": _SHARE,
    "hsv_v": _SHARE,
    "degrees": (0.0, 180.0),
    "translate": _SHARE,
    "scale": _SHARE,
    "shear": (0.0, 90.0),
    "flipud": _SHARE,
    "fliplr": _SHARE,
    "mosaic": _SHARE,
    "mixup": _SHARE,
    "copy_paste": _SHARE,
    "silver_confidence": _SHARE,
    "silver_iou": _SHARE,
    "silver_min_boxes": (1.0, math.inf),
    "silver_merge_iou": _SHARE,
}
"""What each hyp and setting can be at all (others: 0 or more): a bound there is none that could be widened."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A value of the best trial at a bound that could be widened.

    Attributes:
        name:
            The parameter.
        value:
            Its value in the best trial.
        bound:
            The bound that it lies at.
        side:
            Which one that is.
    """

    name: str
    value: float
    bound: float
    side: Literal["low", "high"]

    def __str__(self) -> str:
        verb = "lower" if self.side == "low" else "raise"
        return (
            f"the best {self.name} ({self.value:.4g}) lies at the {self.side} end of its range ({self.bound:g}): "
            f"{verb} `{self.side}` of {self.name} in the space"
        )

    def as_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def edge_lines(edges: Sequence[Edge], run_dir: Path) -> list[str]:
    """What is to be said of edges, with what goes on from there."""
    command = f"hypsweep resume {run_dir} --trials N --widen SPACE"
    way_on = f"with that in a copy of {run_dir / SPACE_YAML} as SPACE, go on: {command}"
    return [*map(str, edges), way_on] if edges else []


def edges(study: optuna.Study, space: Space) -> tuple[Edge, ...]:
    """The values of a study's best trial that lie at the edge of their range; none before there is a best trial."""
    from search.results import best_trial  # results shows edges, too

    best = best_trial(study)
    return edges_of(best, space) if best else ()


def edges_of(best: BestTrial, space: Space) -> tuple[Edge, ...]:
    """The values of the best trial that lie at the edge of their range, in the space's order."""
    found = (edge_at(name, best.trial.params, space) for name in space.parameters if name in best.trial.params)
    return tuple(edge for edge in found if edge)


def edge_at(name: str, params: Mapping[str, Any], space: Space) -> Edge | None:
    """The edge that a parameter's value lies at, None where it lies at none that could be widened."""
    parameter, value = space.parameters[name], params[name]
    if not isinstance(parameter, FloatParameter | IntParameter) or parameter.low == parameter.high:
        return None
    scale = math.log if parameter.log else float
    position = (scale(value) - scale(parameter.low)) / (scale(parameter.high) - scale(parameter.low))
    least, most = NATURAL.get(space.target(name), (0.0, math.inf))
    if position <= NEAR and parameter.low > least:
        return Edge(name, value, parameter.low, "low")
    if position >= 1 - NEAR and parameter.high < most:
        return Edge(name, value, parameter.high, "high")
    return None
