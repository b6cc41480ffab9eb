"""Whatever a space holds: each of its trials is a legal hyp with legal settings, and its conditions hold."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial

from search.conditions import holds
from search.parameters import suggest
from search.samplers import build_sampler
from search.space import SETTINGS, Space
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

CHOICES: dict[str, list[Any]] = {
    "optimizer": ["SGD", "Adam", "AdamW"],
    "lr_schedule": ["linear", "cosine"],
    "image_size": [320, 640],
    "pretrained": [True, False],
    "model": ["yolov5n", "yolov5s"],
}
BASE: dict[str, Any] = {"data": "d.yaml", "epochs": 3, "weights": "yolov5n.pt", "weights_sha256": "0" * 64}


@st.composite
def _parameters(draw: st.DrawFn) -> dict[str, Any]:
    """Settings with choices, and hyps under conditions on them, in any order, some of them with alternatives."""
    entries: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(sorted(CHOICES)), unique=True, max_size=4)):
        parents = [other for other in entries if other in CHOICES]
        entries[name] = draw(_choices(name)) | _when(draw, parents, entries)
    parents = list(entries)
    for hyp in draw(st.lists(st.sampled_from(["lr0", "momentum", "scale", "mosaic"]), unique=True, min_size=1)):
        searched = [parent for parent in parents if len(entries[parent].get("choices", ())) > 1]
        if searched and draw(st.booleans()):
            parent = draw(st.sampled_from(searched))
            for place, choice in enumerate(entries[parent]["choices"]):
                if draw(st.booleans()):
                    entries[f"{hyp}_{place}"] = draw(_range()) | {"name": hyp, "when": {parent: choice}}
        else:
            entries[hyp] = draw(_range()) | _when(draw, parents, entries)
    entries.setdefault("box", {"low": 0.02, "high": 0.2})
    order = draw(st.permutations(sorted(entries)))
    return {name: entries[name] for name in order}


@st.composite
def _choices(draw: st.DrawFn, name: str) -> dict[str, Any]:
    if draw(st.integers(0, 4)) == 0:
        return {"value": draw(st.sampled_from(CHOICES[name]))}
    return {"choices": draw(st.lists(st.sampled_from(CHOICES[name]), unique=True, min_size=1))}


@st.composite
def _range(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["value", "linear", "log"]))
    low = draw(st.floats(1e-5, 0.5))
    if kind == "value":
        return {"value": low}
    return {"low": low, "high": low + draw(st.floats(0, 0.5)), "log": kind == "log"}


def _when(draw: st.DrawFn, parents: list[str], entries: dict[str, Any]) -> dict[str, Any]:
    if not parents or not draw(st.booleans()):
        return {}
    parent = draw(st.sampled_from(parents))
    values = entries[parent].get("choices") or [entries[parent]["value"]]
    return {"when": {parent: draw(st.lists(st.sampled_from(values), unique=True, min_size=1))}}


def _draw(space: Space, sampler: BaseSampler, n: int) -> list[FrozenTrial]:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(n):
        trial: Trial = study.ask()
        params = space.walk(lambda name, distribution, trial=trial: suggest(trial, name, distribution))
        assert params == trial.params
        study.tell(trial, sum(v for v in params.values() if isinstance(v, float)))
    return study.get_trials()


@pytest.mark.timeout(90)
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(parameters=_parameters(), confidence=st.sampled_from(["none", "low", "high"]), seed=st.integers(0, 99))
def test_every_trial_is_a_legal_hyp_and_its_conditions_hold(
    parameters: dict[str, Any], confidence: str, seed: int
) -> None:
    space = Space.model_validate({"parameters": parameters, "prior": {"confidence": confidence}})
    known = {**TrainSettings.from_mapping(BASE).as_dict(), "pretrained": True, **Hyp().as_dict()}
    centres = {name: value for name, value in known.items() if name in ("optimizer", "image_size", "model")}
    members = {"ga": {}, "tpe": {"n_startup_trials": 2}, "qmc": {}, "random": {}}
    sampler = build_sampler({"members": members, "prior_strength": 2}, space, seed, priors=space.priors(centres))
    for trial in _draw(space, sampler, 6):
        assert space.is_whole(trial.params)
        for name, parameter in space.parameters.items():
            assert (name in trial.params) == holds(parameter.when, trial.params)
        hyp, chosen = space.split(trial.params)
        assert Hyp.from_mapping({**Hyp().as_dict(), **hyp})
        assert set(chosen) <= {*SETTINGS, "weights_sha256"}
        made = TrainSettings.from_mapping({**BASE, **chosen})
        assert made.model in space.possible("model", "yolov5s")
        assert made.weights in space.possible("weights", "yolov5n.pt")
