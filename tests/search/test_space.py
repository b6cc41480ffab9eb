"""The space: YAML, distributions, hyps, and what is refused."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.samplers import RandomSampler

from data_prep.errors import InputError
from search.priors import Prior
from search.space import SETTINGS, Space, load_space
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

SPACES = Path(__file__).parents[2] / "configs" / "spaces"
GROUPS = ("lr_momentum", "loss", "hsv", "geometry")


class _NoSampler(RandomSampler):
    """Fails where anything is asked of it."""

    def sample_independent(self, *args: Any) -> Any:
        raise AssertionError(args)


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

    def test_the_space_with_a_prior_is_the_same_space(self) -> None:
        space = load_space(SPACES / "yolov5_prior.yaml")
        assert space.parameters == load_space(SPACES / "yolov5.yaml").parameters
        assert space.priors(space.starts({})).keys() == space.parameters.keys()

    def test_the_space_of_groups_is_three_of_them(self) -> None:
        together = {}
        for group in ("lr_momentum", "hsv", "loss"):
            together |= load_space(SPACES / f"{group}.yaml").parameters
        assert load_space(SPACES / "groups.yaml").parameters == together

    @pytest.mark.parametrize(("optimizer", "lr0"), [("SGD", 0.01), ("AdamW", 0.001)])
    def test_each_optimizer_has_its_own_pace(self, optimizer: str, lr0: float) -> None:
        space, table = load_space(SPACES / "optimizer.yaml"), load_space(SPACES / "yolov5.yaml").parameters
        params = space.default_params({"optimizer": optimizer})
        hyp, settings = space.split(params)
        assert settings == {"optimizer": optimizer}
        assert hyp["lr0"] == lr0
        assert hyp.keys() == {"lr0", "momentum", "lrf", "weight_decay"}
        for name, parameter in space.parameters.items():
            bounds = table.get(space.target(name))
            if bounds is not None:
                assert bounds.low <= parameter.low < parameter.high <= bounds.high  # type: ignore[union-attr]

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


BRANCHES = {
    "slow": {"name": "lr0", "low": 1e-5, "high": 1e-2, "log": True, "default": 1e-3, "when": {"optimizer": ["AdamW"]}},
    "fast": {"name": "lr0", "low": 1e-3, "high": 1e-1, "log": True, "when": {"optimizer": "SGD"}},
    "momentum": {"low": 0.6, "high": 0.98, "when": {"optimizer": ["SGD", "Adam"]}},
    "optimizer": {"choices": ["SGD", "Adam", "AdamW"]},
    "fliplr": {"value": 0.25},
}


def _middle(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low


class TestConditions:
    @pytest.mark.parametrize(
        ("optimizer", "names"),
        [
            ("SGD", ["optimizer", "fast", "momentum", "fliplr"]),
            ("Adam", ["optimizer", "momentum", "fliplr"]),
            ("AdamW", ["optimizer", "slow", "fliplr"]),
        ],
    )
    def test_what_is_drawn_follows_the_parent(self, optimizer: str, names: list[str]) -> None:
        asked: list[str] = []

        def draw(name: str, distribution: BaseDistribution) -> Any:
            asked.append(name)
            return optimizer if name == "optimizer" else _middle(distribution)

        params = _space(**BRANCHES).walk(draw)
        assert sorted(params) == sorted(names)
        assert asked == list(params)
        assert asked[0] == "optimizer"  # the parent first, wherever it stands

    def test_alternatives_set_the_same_hyp(self) -> None:
        space = _space(**BRANCHES)
        assert space.split({"optimizer": "AdamW", "slow": 0.001, "fliplr": 0.25}) == (
            {"lr0": 0.001, "fliplr": 0.25},
            {"optimizer": "AdamW"},
        )
        assert space.targets() == ("lr0", "momentum", "optimizer", "fliplr")

    def test_trial_0_has_its_own_branch_alone(self) -> None:
        base = {"optimizer": "SGD", "lr0": 0.02, "momentum": 0.9, "fliplr": 0.5}
        space = _space(**BRANCHES)
        assert space.default_params(base) == {"optimizer": "SGD", "fast": 0.02, "momentum": 0.9, "fliplr": 0.25}
        assert space.starts(base) == {**space.default_params(base), "slow": 0.001}

    def test_a_start_off_the_branch_need_not_be_legal(self) -> None:
        branches = {**BRANCHES, "slow": {**BRANCHES["slow"], "default": None}}
        base = {"optimizer": "SGD", "lr0": 0.02, "momentum": 0.9}
        assert "slow" not in _space(**branches).starts(base)
        assert _space(**branches).starts({**base, "lr0": 0.005})["slow"] == 0.005
        with pytest.raises(InputError, match=r"slow starts at 0\.02, outside"):
            _space(**branches).default_params({**base, "optimizer": "AdamW"})

    def test_wholeness_follows_the_conditions(self) -> None:
        space = _space(**BRANCHES)
        assert space.is_whole({"optimizer": "AdamW", "slow": 0.001, "fliplr": 0.25})
        assert not space.is_whole({"optimizer": "SGD", "slow": 0.001, "fliplr": 0.25})
        assert not space.is_whole({})

    def test_a_child_of_what_is_not_drawn_is_not_drawn(self) -> None:
        space = _space(
            optimizer={"choices": ["SGD", "AdamW"]},
            lr_schedule={"choices": ["linear", "cosine"], "when": {"optimizer": "AdamW"}},
            lrf={"low": 0, "high": 1, "when": {"lr_schedule": "linear"}},
        )
        assert space.walk(lambda _, distribution: _middle(distribution)) == {"optimizer": "SGD"}

    def test_a_fixed_value_can_be_a_parent(self) -> None:
        space = _space(optimizer={"value": "Adam"}, momentum={"low": 0.5, "high": 0.9, "when": {"optimizer": "Adam"}})
        assert space.walk(lambda _, distribution: _middle(distribution)) == {"optimizer": "Adam", "momentum": 0.5}


class TestFixed:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("lr0", 0.5), ("mosaic", 1), ("optimizer", "Adam"), ("autoanchor", False), ("weights", None)],
    )
    def test_it_is_a_distribution_of_one_value_and_keeps_its_type(self, name: str, value: Any) -> None:
        space = _space(**{name: {"value": value}})
        (distribution,) = space.distributions().values()
        assert distribution.single()
        study = optuna.create_study(sampler=_NoSampler())
        trial = study.ask(space.distributions())
        assert trial.params == {name: value}
        assert type(trial.params[name]) is type(value)
        assert {**space.split(trial.params)[0], **space.split(trial.params)[1]} == {name: value}

    def test_it_overrides_the_base_and_is_not_searched(self) -> None:
        space = _space(lr0={"value": 0.5}, scale={"low": 0, "high": 1})
        assert space.default_params({"lr0": 0.01, "scale": 0.5}) == {"lr0": 0.5, "scale": 0.5}
        assert space.gains() == {"scale": 1.0}

    def test_it_belongs_to_the_identity(self) -> None:
        assert _space(lr0={"value": 0.5}).identity() != _space(lr0={"value": 0.25}).identity()


class TestIdentity:
    def test_a_plain_space_is_its_distributions(self) -> None:
        space = _space(**MIXED)
        assert space.identity() == {n: distribution_to_json(d) for n, d in space.distributions().items()}

    @pytest.mark.parametrize(
        "changed",
        [{"when": {"optimizer": "AdamW"}}, {"when": {}}, {"name": "warmup_momentum"}, {"high": 0.99}],
    )
    def test_conditions_and_targets_belong_to_it(self, changed: dict[str, Any]) -> None:
        other = {**BRANCHES, "momentum": {**BRANCHES["momentum"], **changed}}
        if "name" in changed:
            other["m"] = other.pop("momentum")
        assert _space(**other).identity() != _space(**BRANCHES).identity()

    def test_priors_gains_and_defaults_do_not(self) -> None:
        plain = {"low": 0, "high": 1}
        told = {**plain, "prior": {"centre": 0.5}, "gain": 2, "default": 0.1}
        assert _space(scale=plain).identity() == _space(scale=told).identity()


class TestPretrained:
    def test_false_takes_the_weights_away(self) -> None:
        space = _space(pretrained={"choices": [True, False]})
        assert space.split({"pretrained": False}) == ({}, {"weights": None, "weights_sha256": None})
        assert space.split({"pretrained": True}) == ({}, {})
        settings = {"data": "d.yaml", "epochs": 1, "weights": "w.pt", "weights_sha256": "0" * 64}
        assert TrainSettings.from_mapping({**settings, **space.split({"pretrained": False})[1]}).weights is None
        assert space.targets() == ("weights",)

    @pytest.mark.parametrize(
        ("parameters", "base", "expected"),
        [
            ({"lr0": {"value": 0.1}}, "w.pt", ("w.pt",)),
            ({"pretrained": {"choices": [True, False]}}, "w.pt", ("w.pt", None)),
            ({"pretrained": {"choices": [False]}}, "w.pt", (None,)),
            ({"weights": {"choices": ["a.pt", "b.pt"]}}, "w.pt", ("a.pt", "b.pt")),
            (
                {
                    "optimizer": {"choices": ["SGD", "Adam"]},
                    "weights": {"choices": ["a"], "when": {"optimizer": "SGD"}},
                },
                "w.pt",
                ("a", "w.pt"),
            ),
            (
                {
                    "optimizer": {"choices": ["SGD", "Adam"]},
                    "pretrained": {"choices": [False], "when": {"optimizer": "SGD"}},
                },
                "w.pt",
                (None, "w.pt"),
            ),
        ],
    )
    def test_what_the_weights_can_be(self, parameters: dict[str, Any], base: str, expected: tuple[Any, ...]) -> None:
        assert _space(**parameters).possible("weights", base) == expected


class TestPriors:
    def test_of_parameters_and_of_the_space(self) -> None:
        space = Space.model_validate(
            {
                "parameters": {
                    "lr0": {"low": 0, "high": 1, "prior": {"centre": 0.25, "confidence": "high"}},
                    "lrf": {"low": 0, "high": 1},
                    "momentum": {"low": 0, "high": 1, "prior": {"confidence": "none"}},
                    "scale": {"low": 0, "high": 1, "prior": {"confidence": 3}},
                    "mosaic": {"value": 1.0},
                },
                "prior": {"around": "default", "confidence": "low"},
            }
        )
        starts = space.starts({"lrf": 0.1, "momentum": 0.2, "scale": 0.3})
        assert starts["lr0"] == 0.25  # a centre is a default
        assert space.priors(starts) == {"lr0": Prior(0.25, 8.0), "lrf": Prior(0.1, 2.0), "scale": Prior(0.3, 3.0)}

    def test_the_base_and_the_default_win_over_the_centre_as_a_start(self) -> None:
        told = {"low": 0, "high": 1, "prior": {"centre": 0.25}}
        assert _space(lr0=told).default_params({"lr0": 0.5}) == {"lr0": 0.5}
        assert _space(lr0={**told, "default": 0.75}).default_params({}) == {"lr0": 0.75}
        assert _space(lr0=told).default_params({}, {"lr0": 0.01}) == {"lr0": 0.25}

    def test_none_where_nothing_is_said(self) -> None:
        assert _space(**MIXED).priors({"lr0": 0.01}) == {}

    def test_a_parameter_without_a_start_has_none(self) -> None:
        space = Space.model_validate({"parameters": BRANCHES, "prior": {}})
        starts = {"optimizer": "SGD", "fast": 0.02}
        assert space.priors(starts).keys() == {"optimizer", "fast"}


CONDITION = "parameters: {optimizer: {choices: [SGD, AdamW]}, lr0:"


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
        ("parameters: {sgd: {low: 0, high: 1}}", ["sgd", "name what it sets"]),
        ("parameters: {sgd: {name: lr00, low: 0, high: 1}}", ["lr00", "did you mean lr0"]),
        ("parameters: {momentum: {name: lr0, low: 0, high: 1}}", ["momentum sets lr0", "name of its own"]),
        ("parameters: {lr0: {low: 0, high: 1, when: {optimizer: SGD}}}", ["lr0", "optimizer", "no parameter of this"]),
        (f"{CONDITION} {{low: 0, high: 1, when: {{optimiser: SGD}}}}}}", ["optimiser", "did you mean optimizer?"]),
        (f"{CONDITION} {{low: 0, high: 1, when: {{optimizer: Adam}}}}}}", ["lr0", "'Adam', which it never", "'SGD'"]),
        (f"{CONDITION} {{low: 0, high: 1, when: {{optimizer: []}}}}}}", ["lr0", "optimizer", "at least one value"]),
        (f"{CONDITION} {{low: 0, high: 1, when: SGD}}}}", ["parameters.lr0.when"]),
        (
            "parameters: {momentum: {low: 0, high: 1}, lr0: {low: 0, high: 1, when: {momentum: 0.5}}}",
            ["lr0", "momentum, which is a range", "choices or a value"],
        ),
        (
            "parameters: {model: {choices: [a, b], when: {weights: w}}, weights: {choices: [w, v], when: {model: a}}}",
            ["circle", "model -> weights -> model"],
        ),
        ("parameters: {lr0: {choices: [1, 2], when: {lr0: 1}}}", ["circle", "lr0 -> lr0"]),
        (
            f"{CONDITION} {{low: 0, high: 1, when: {{optimizer: SGD}}}}, b: {{name: lr0, low: 0, high: 1}}}}",
            ["lr0 and b both set lr0", "could be drawn together", "other values"],
        ),
        (
            "parameters: {weights: {choices: [a, b]}, pretrained: {choices: [true, false]}}",
            ["weights and pretrained both set weights"],
        ),
        ("parameters: {pretrained: {choices: [1, 0]}}", ["pretrained", "1", "choose from true, false"]),
        ("parameters: {pretrained: {low: 0, high: 1}}", ["pretrained", "choices"]),
        ("parameters: {lr0: {value: -1}}", ["lr0", "no number from 0 up"]),
        ("parameters: {lr0: {value: fast}}", ["lr0", "no number from 0 up"]),
        ("parameters: {optimizer: {value: LAMB}}", ["optimizer", "LAMB", "SGD, Adam, AdamW"]),
        ("parameters: {lr0: {value: 0.1, gain: 1}}", ["parameters.lr0", "gain"]),
        ("parameters: {lr0: {value: 0.1, low: 0}}", ["parameters.lr0", "low"]),
        ("parameters: {lr0: {low: 0, high: 1, prior: {centre: 2}}}", ["prior.centre of lr0 is 2", "0 to 1"]),
        ("parameters: {lr0: {low: 0, high: 1, prior: {centre: a}}}", ["prior.centre of lr0 is 'a'", "0 to 1"]),
        ("parameters: {optimizer: {choices: [SGD], prior: {centre: Adam}}}", ["prior.centre of optimizer", "['SGD']"]),
        ("parameters: {lr0: {low: 0, high: 1, prior: {confidence: sure}}}", ["lr0.prior.confidence", "low, medium"]),
        ("parameters: {lr0: {low: 0, high: 1, prior: {center: 0.5}}}", ["center", "did you mean `centre`"]),
        ("parameters: {lr0: {low: 0, high: 1}}\nprior: {around: 0.5}", ["prior.around", "default"]),
        ("parameters: {lr0: {low: 0, high: 1}}\nprior: {confidence: 0.5}", ["prior.confidence", "from 1 up"]),
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
