"""Costs that a trial reports because its sweep asks for them. Times are measured and never asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from trainable import measures
from trainable.costs import COSTS, LATENCY_MS, LATENCY_SPREAD
from trainable.detection import DetectionTrainable
from trainable.footprint import known_costs
from trainable.hyp import Hyp
from trainable.latency import FEWEST, MOST, measure_latency, on_square
from trainable.settings import TrainSettings

pytestmark = pytest.mark.timeout(90)


def config(settings: TrainSettings, **more: Any) -> dict[str, Any]:
    return {"trial_number": 0, "hyp": {}, "train": {**settings.as_dict(), "epochs": 2}, "checkpoint": None, **more}


def test_nothing_is_reported_that_was_not_asked_for(settings: TrainSettings) -> None:
    result = DetectionTrainable(config(settings)).train()

    assert not {*COSTS, LATENCY_SPREAD} & result.keys()


def test_costs_are_in_every_epoch_and_do_not_change_the_training(settings: TrainSettings) -> None:
    plain = DetectionTrainable(config(settings))
    expected = [plain.train()["train_box_loss"] for _ in range(2)]

    trial = DetectionTrainable(config(settings, costs=list(COSTS)))
    results = [trial.train() for _ in range(2)]

    assert [result["train_box_loss"] for result in results] == expected
    for result in results:
        assert {name: result[name] for name in ("weights_megabytes", "gflops")} == known_costs(settings, Hyp())
        assert result[LATENCY_MS] > 0
        assert result[LATENCY_SPREAD] >= 0


def test_latency_is_measured_once_a_trial_restored_or_not(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = config(settings, costs=[LATENCY_MS])
    trial = DetectionTrainable(asked)
    first = trial.train()
    trial.save_checkpoint(str(tmp_path))

    monkeypatch.setattr(measures, "measure_latency", None)  # a second measurement would fail
    second = trial.train()
    restored = DetectionTrainable({**asked, "checkpoint": str(tmp_path)}).train()

    assert first[LATENCY_MS] == second[LATENCY_MS] == restored[LATENCY_MS]
    assert first[LATENCY_SPREAD] == restored[LATENCY_SPREAD]


def test_a_checkpoint_of_a_sweep_that_did_not_ask_is_measured_later(settings: TrainSettings, tmp_path: Path) -> None:
    trial = DetectionTrainable(config(settings))
    trial.train()
    trial.save_checkpoint(str(tmp_path))

    restored = DetectionTrainable(config(settings, costs=["gflops"], checkpoint=str(tmp_path))).train()

    assert restored["gflops"] == known_costs(settings, Hyp())["gflops"]


def test_an_unknown_cost_is_named(settings: TrainSettings) -> None:
    result = DetectionTrainable(config(settings, costs=["watts"])).train()

    assert "watts" in result["failure"]
    assert result["failure_kind"] == "input"


def test_the_timed_runs_are_bounded_and_see_the_whole_picture(settings: TrainSettings) -> None:
    from trainable.loop import EpochLoop

    loop = EpochLoop(settings, Hyp())
    seen: list[torch.Size] = []
    loop.parts.ema.ema.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))

    measured = measure_latency(loop.parts.ema.ema, loop.parts.precision, on_square(None, 64))

    assert FEWEST <= measured.runs <= MOST
    assert set(seen) == {torch.Size((1, 3, 64, 64))}


def test_a_picture_lies_on_grey_and_what_is_larger_is_cut_off() -> None:
    picture = torch.arange(3 * 4 * 6, dtype=torch.uint8).reshape(3, 4, 6)

    square = on_square(picture, 5)

    assert torch.equal(square[:, :4, :], picture[:, :, :5])
    assert set(square[:, 4].flatten().tolist()) == {114}
    assert set(on_square(None, 2).flatten().tolist()) == {114}
