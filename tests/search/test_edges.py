"""Best values at the edge of their range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from search.edges import NATURAL, Edge, edge_at, edges
from search.space import SETTINGS, Space, load_space
from trainable.hyp import Hyp

SPACES = Path(__file__).parents[2] / "configs" / "spaces"


def _space(**parameters: Any) -> Space:
    return Space.model_validate({"parameters": parameters})


LR0 = {"low": 1e-5, "high": 0.1, "log": True}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, Edge("lr0", 0.1, 0.1, "high")),
        (0.1 * 10 ** (-4 * 0.009), Edge("lr0", 0.1 * 10 ** (-4 * 0.009), 0.1, "high")),
        (0.1 * 10 ** (-4 * 0.011), None),
        (0.01, None),
        (1.05e-5, Edge("lr0", 1.05e-5, 1e-5, "low")),  # by its own scale; in the linear one 0.001 would be, too
        (0.001, None),
    ],
)
def test_the_edge_is_one_hundredth_of_the_scale(value: float, expected: Edge | None) -> None:
    assert edge_at("lr0", {"lr0": value}, _space(lr0=LR0)) == expected


@pytest.mark.parametrize(
    ("name", "parameter", "value", "side"),
    [
        ("flipud", {"low": 0, "high": 1}, 0.0, None),
        ("flipud", {"low": 0, "high": 1}, 1.0, None),
        ("flipud", {"low": 0.1, "high": 0.5}, 0.1, "low"),
        ("flipud", {"low": 0.1, "high": 0.5}, 0.5, "high"),
        ("degrees", {"low": 0, "high": 45}, 45.0, "high"),
        ("weight_decay", {"low": 0, "high": 0.001}, 0.0, None),
        ("anchor_t", {"low": 1.0, "high": 8.0}, 1.0, None),
        ("anchors", {"type": "int", "low": 2, "high": 10}, 10, "high"),
        ("anchors", {"type": "int", "low": 2, "high": 10}, 9, None),
        ("lr0", {"low": 0.01, "high": 0.01}, 0.01, None),
        ("lr0", {"choices": [0.01, 0.1]}, 0.1, None),
        ("lr0", {"value": 0.1}, 0.1, None),
        ("fast", {"name": "momentum", "low": 0.6, "high": 1.0}, 1.0, None),
        ("fast", {"name": "momentum", "low": 0.6, "high": 0.98}, 0.98, "high"),
    ],
)
def test_natural_bounds_cannot_be_widened(name: str, parameter: dict[str, Any], value: float, side: str | None) -> None:
    edge = edge_at(name, {name: value}, _space(**{name: parameter}))
    assert (edge.side if edge else None) == side


def test_the_natural_bounds_are_those_of_hyps_and_settings_and_hold_the_shipped_space() -> None:
    assert set(NATURAL) <= {*Hyp.names(), *SETTINGS}
    for name, parameter in load_space(SPACES / "yolov5.yaml").parameters.items():
        low, high = NATURAL.get(name, (0.0, float("inf")))
        assert low <= parameter.low  # type: ignore[union-attr]
        assert parameter.high <= high  # type: ignore[union-attr]


def test_those_of_the_best_trial_alone_and_of_what_it_has() -> None:
    space = _space(
        optimizer={"choices": ["SGD", "AdamW"]},
        lr0=LR0,
        momentum={"low": 0.6, "high": 0.98, "when": {"optimizer": "SGD"}},
    )
    study = optuna.create_study(direction="maximize")
    assert edges(study, space) == ()
    distributions = space.distributions()
    for value, params in [
        (0.5, {"optimizer": "SGD", "lr0": 1e-5, "momentum": 0.98}),
        (0.9, {"optimizer": "AdamW", "lr0": 0.1}),
    ]:
        named = {name: distributions[name] for name in params}
        study.add_trial(
            optuna.create_trial(
                params=params,
                distributions=named,
                value=value,
                intermediate_values={1: value},
            )
        )
    (edge,) = edges(study, space)
    assert str(edge) == ("the best lr0 (0.1) lies at the high end of its range (0.1): raise `high` of lr0 in the space")
    assert edge.as_dict() == {"name": "lr0", "value": 0.1, "bound": 0.1, "side": "high"}
