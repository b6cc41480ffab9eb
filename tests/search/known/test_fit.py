from __future__ import annotations

from typing import Any

import pytest

from data_prep.errors import InputError
from search.known.fit import are_near, fit, unit
from search.known.source import KnownTrial
from search.space import Space

SPACE = Space.model_validate(
    {
        "parameters": {
            "lr0": {"low": 1e-4, "high": 0.1, "log": True},
            "momentum": {"low": 0.6, "high": 0.98},
            "anchors": {"type": "int", "low": 2, "high": 9, "default": 3},
            "optimizer": {"choices": ["SGD", "AdamW"]},
        }
    }
)
BASE = {"lr0": 0.01, "momentum": 0.9, "optimizer": "SGD", "box": 0.05, "image_size": 640}


def known(**params: Any) -> KnownTrial:
    return KnownTrial(params=params, label="pig row 3")


def test_what_is_missing_comes_from_the_base_and_is_named() -> None:
    fitted = fit(known(lr0=0.02), BASE, SPACE, clip=False)
    assert fitted.params == {"lr0": 0.02, "momentum": 0.9, "anchors": 3, "optimizer": "SGD"}
    assert fitted.filled == ("momentum", "anchors", "optimizer")
    assert not fitted.other
    assert not fitted.clipped


def test_what_is_not_searched_is_named_if_it_was_another_value() -> None:
    fitted = fit(known(lr0=0.02, box=0.05000001, image_size=320, cls=0.1), BASE, SPACE, clip=False)
    assert fitted.other == {"image_size": 320, "cls": 0.1}


def test_the_anchors_that_yolov5_writes_for_nobody_are_no_other_value() -> None:
    space = Space.model_validate({"parameters": {"lr0": {"low": 1e-4, "high": 0.1}}})
    assert not fit(known(anchors=3.0), BASE, space, clip=False).other
    assert fit(known(anchors=4.0), BASE, space, clip=False).other == {"anchors": 4.0}


def test_anchors_are_rounded_as_yolov5_rounds_them() -> None:
    fitted = fit(known(anchors=4.4), BASE, SPACE, clip=False)
    assert fitted.params["anchors"] == 4
    assert not fitted.clipped


@pytest.mark.parametrize(
    ("params", "pattern"),
    [
        ({"lr0": 0.2}, r"pig row 3: lr0 is 0\.2, outside 0\.0001 to 0\.1: .*--clip"),
        ({"lr0": 0.0}, "outside"),
        ({"lr0": float("nan")}, "no finite number"),
        ({"lr0": "fast"}, "no finite number"),
        ({"lr0": True}, "no finite number"),
        ({"optimizer": "Adam"}, "none of the choices"),
    ],
)
def test_what_lies_outside_is_refused_by_name(params: dict[str, Any], pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        fit(known(**params), BASE, SPACE, clip=False)


def test_clipping_says_what_it_moved() -> None:
    fitted = fit(known(lr0=0.2, momentum=0.1), BASE, SPACE, clip=True)
    assert (fitted.params["lr0"], fitted.params["momentum"]) == (0.1, 0.6)
    assert fitted.clipped == {"lr0": (0.2, 0.1), "momentum": (0.1, 0.6)}
    with pytest.raises(InputError, match="none of the choices"):
        fit(known(optimizer="Adam"), BASE, SPACE, clip=True)


def test_the_unit_cube_sees_ratios_where_the_scale_is_logarithmic() -> None:
    searched = SPACE.distributions()
    place = unit({"lr0": 1e-3, "momentum": 0.79, "optimizer": "SGD"}, searched)
    assert place["lr0"] == pytest.approx(1 / 3)
    assert place["momentum"] == pytest.approx(0.5)
    assert are_near(place, unit({"lr0": 1.1e-3, "momentum": 0.79, "optimizer": "SGD"}, searched), 0.02)
    assert not are_near(place, unit({"lr0": 1.2e-3, "momentum": 0.79, "optimizer": "SGD"}, searched), 0.02)
    assert not are_near(place, unit({"lr0": 1e-3, "momentum": 0.79, "optimizer": "AdamW"}, searched), 0.02)
    assert not are_near(place, unit({"lr0": 1e-3, "momentum": 0.79}, searched), 0.02)


BRANCHES = Space.model_validate(
    {
        "parameters": {
            "fast": {"name": "lr0", "low": 1e-3, "high": 0.1, "when": {"optimizer": "SGD"}},
            "slow": {"name": "lr0", "low": 1e-5, "high": 1e-2, "default": 1e-3, "when": {"optimizer": "AdamW"}},
            "optimizer": {"choices": ["SGD", "AdamW"]},
            "mosaic": {"value": 0.5},
        }
    }
)


@pytest.mark.parametrize(("optimizer", "name"), [("SGD", "fast"), ("AdamW", "slow")])
def test_a_hyp_goes_to_the_parameter_that_sets_it_in_its_branch(optimizer: str, name: str) -> None:
    fitted = fit(known(lr0=0.005, optimizer=optimizer), BASE, BRANCHES, clip=False)
    assert fitted.params == {"optimizer": optimizer, name: 0.005, "mosaic": 0.5}
    assert not fitted.other
    assert not fitted.filled


def test_the_branch_decides_what_is_outside() -> None:
    config = known(lr0=0.05, optimizer="AdamW")
    with pytest.raises(InputError, match=r"pig row 3: lr0 is 0\.05, outside 1e-05 to 0\.01"):
        fit(config, BASE, BRANCHES, clip=False)
    fitted = fit(config, BASE, BRANCHES, clip=True)
    assert fitted.params["slow"] == 0.01
    assert fitted.clipped == {"lr0": (0.05, 0.01)}


def test_a_fixed_value_stays_and_another_one_is_named() -> None:
    fitted = fit(known(lr0=0.05, optimizer="SGD", mosaic=1.0), {**BASE, "mosaic": 0.5}, BRANCHES, clip=True)
    assert fitted.params["mosaic"] == 0.5
    assert fitted.other == {"mosaic": 1.0}
    assert not fitted.clipped
