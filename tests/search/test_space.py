"""The space: YAML, distributions, hyps, and what is refused."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from data_prep.errors import InputError
from search.space import SETTINGS, Space, load_space
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

SPACES = Path(__file__).parents[2] / "configs" / "spaces"
GROUPS = ("lr_momentum", "loss", "hsv", "geometry")


def _space(**parameters: Any) -> Space:
    return Space.model_validate({"parameters": parameters})


MIXED = {
    "lr0": {"low": "1e-5", "high": 0.1, "log": True, "default": 0.01},
    "anchors": {"type": "int", "low": 2, "high": 10, "gain": 2, "default": 3},
    "scale": {"low": 0, "high": 0.9},
    "optimizer": {"choices": ["SGD", "AdamW"], "default": "SGD", "gain": 0.5},
    "image_size": {"choices": [320, 640]},
}


class TestShipped:
    def test_yolov5s_table_is_yolov5s(self) -> None:
        yolov5 = importlib.util.find_spec("yolov5")
        if yolov5 is None:
            pytest.skip("the yolov5 package is not installed: its own table cannot be read")
        source = (Path(yolov5.submodule_search_locations[0]) / "train.py").read_text(encoding="utf-8")
        metas = [
            ast.literal_eval(node.value)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["meta"]
        ]
        ours = {n: (p.gain, p.low, p.high) for n, p in load_space(SPACES / "yolov5.yaml").parameters.items()}  # type: ignore[union-attr]
        theirs = dict(metas[0])
        del theirs["anchors"]  # off unless asked
        assert ours == theirs
        assert list(ours) == list(theirs)

    def test_defaults_are_those_of_scratch_low(self) -> None:
        space = load_space(SPACES / "yolov5.yaml")
        assert space.defaults() == Hyp().as_dict()
        assert space.default_params(Hyp().as_dict()) == Hyp().as_dict()

    @pytest.mark.parametrize("group", GROUPS)
    def test_groups_agree_with_the_table(self, group: str) -> None:
        table = load_space(SPACES / "yolov5.yaml").parameters
        for name, parameter in load_space(SPACES / f"{group}.yaml").parameters.items():
            assert parameter == table[name]

    def test_groups_do_not_overlap(self) -> None:
        names = [name for group in GROUPS for name in load_space(SPACES / f"{group}.yaml").parameters]
        assert len(names) == len(set(names))


class TestTranslation:
    def test_to_distributions(self) -> None:
        assert _space(**MIXED).distributions() == {
            "lr0": FloatDistribution(1e-5, 0.1, log=True),
            "anchors": IntDistribution(2, 10),
            "scale": FloatDistribution(0, 0.9),
            "optimizer": CategoricalDistribution(["SGD", "AdamW"]),
            "image_size": CategoricalDistribution([320, 640]),
        }

    def test_gains_and_defaults(self) -> None:
        space = _space(**MIXED)
        assert space.gains() == {"lr0": 1, "anchors": 2, "scale": 1, "optimizer": 0.5, "image_size": 1}
        assert space.defaults() == {"lr0": 0.01, "anchors": 3, "optimizer": "SGD"}

    def test_split_parts_hyps_from_settings(self) -> None:
        hyp, settings = _space(**MIXED).split({"lr0": 0.1, "optimizer": "SGD", "image_size": 320, "anchors": 3})
        assert hyp == {"lr0": 0.1, "anchors": 3}
        assert settings == {"optimizer": "SGD", "image_size": 320}

    def test_split_refuses_what_the_space_lacks(self) -> None:
        with pytest.raises(InputError, match="mixup"):
            _space(**MIXED).split({"mixup": 0.1})

    def test_default_params_take_the_base_first(self) -> None:
        base = Hyp(lr0=0.02, anchors=4.0).as_dict() | {"image_size": 640}
        assert _space(**MIXED).default_params(base) == {
            "lr0": 0.02, "anchors": 4, "scale": 0.5, "optimizer": "SGD", "image_size": 640,
        }  # fmt: skip

    def test_types_of_values_are_kept(self) -> None:
        params = _space(**MIXED).default_params({"lr0": 0.01, "scale": 0, "image_size": 320, "anchors": 3.0})
        assert {name: type(value) for name, value in params.items()} == {
            "lr0": float, "anchors": int, "scale": float, "optimizer": str, "image_size": int,
        }  # fmt: skip

    def test_none_can_be_a_choice(self) -> None:
        space = _space(weights={"choices": [None, "yolov5n.pt"]})
        assert space.default_params({}) == {"weights": None}

    @pytest.mark.parametrize(
        ("base", "words"),
        [
            ({"lr0": 0.5, "scale": 0.5, "image_size": 320}, ["lr0", "0.5", "0.1"]),
            ({"scale": 0.5}, ["image_size", "320"]),
            ({"image_size": 320}, ["scale", "no default"]),
            ({"scale": 0.5, "image_size": 333}, ["image_size", "333"]),
            ({"scale": 0.5, "image_size": 320, "anchors": 3.5}, ["anchors", "3.5", "whole"]),
        ],
    )
    def test_a_default_outside_is_an_error_not_clipped(self, base: dict[str, Any], words: list[str]) -> None:
        with pytest.raises(InputError) as error:
            _space(**MIXED).default_params(base)
        assert all(word in str(error.value) for word in words)

    def test_it_survives_its_own_file(self, tmp_path: Path) -> None:
        space = _space(**MIXED)
        (tmp_path / "space.yaml").write_text(yaml.safe_dump(space.model_dump(mode="json")))
        assert load_space(tmp_path / "space.yaml") == space

    def test_it_is_frozen(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            _space(**MIXED).parameters["lr0"].gain = 2.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("parameters: {lr0: {low: 0.1, high: 0.01}}", ["parameters.lr0.high", "0.01", "below low (0.1)", "swap"]),
        ("parameters: {lr0: {low: 0, high: 0.1, log: true}}", ["parameters.lr0.log", "low", "0"]),
        ("parameters: {lr0: {low: 0.01, high: 0.1, default: 1}}", ["parameters.lr0.default", "1", "0.01 to 0.1"]),
        ("parameters: {lr0: {low: 0.01}}", ["parameters.lr0.high", "missing"]),
        ("parameters: {lr0: {low: a, high: 1}}", ["parameters.lr0.low", "'a'"]),
        ("parameters: {lr0: {low: .nan, high: 1}}", ["parameters.lr0.low", "finite"]),
        ("parameters: {lr0: {low: 0, high: .inf}}", ["parameters.lr0.high", "finite"]),
        ("parameters: {lr0: {low: 0, high: 1, gain: -1}}", ["parameters.lr0.gain", "-1"]),
        ("parameters: {lr0: {low: 0, hihg: 1, high: 1}}", ["hihg", "high"]),
        ("parameters: {lr0: {low: -1, high: 1}}", ["lr0", "-1", "negative"]),
        ("parameters: {lr0: {type: double, low: 0, high: 1}}", ["lr0", "float, int, categorical"]),
        ("parameters: {lr0: 3}", ["lr0"]),
        ("parameters: {lr00: {low: 0, high: 1}}", ["lr00", "did you mean lr0"]),
        ("parameters: {zzz: {low: 0, high: 1}}", ["zzz", "choose from", "copy_paste", "optimizer"]),
        ("parameters: {anchors: {type: int, low: 2.5, high: 4}}", ["parameters.anchors", "2.5"]),
        ("parameters: {optimizer: {low: 0, high: 1}}", ["optimizer", "choices"]),
        ("parameters: {optimizer: {choices: []}}", ["parameters.optimizer.choices"]),
        ("parameters: {optimizer: {choices: [SGD, SGD]}}", ["parameters.optimizer.choices", "twice"]),
        ("parameters: {optimizer: {choices: [SGD], default: Adam}}", ["parameters.optimizer.default", "Adam"]),
        ("parameters: {optimizer: {choices: [SGD, adamm]}}", ["optimizer", "adamm", "AdamW"]),
        ("parameters: {lr_schedule: {choices: [flat]}}", ["lr_schedule", "flat", "cosine"]),
        ("parameters: {lr0: {choices: [a, 1]}}", ["lr0", "numbers"]),
        ("parameters: {}", ["parameters"]),
        ("parameters: {lr0: {low: 0, high: 1}}\ngroups: 3", ["groups"]),
        ("[1, 2]", []),
        ("a: [", []),
    ],
)
def test_a_wrong_space_is_refused_by_file_key_and_value(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_space(path)
    message = str(error.value)
    assert all(word in message for word in [str(path), *words]), message
    assert "\n" not in message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml"):
        load_space(tmp_path / "none.yaml")


def test_settings_are_real_training_settings() -> None:
    assert set(SETTINGS) <= set(TrainSettings.__dataclass_fields__)
    assert not set(SETTINGS) & set(Hyp.names())
