"""The thresholds of silver labels searched as any hyp, with the real trainable."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from search.config import load_sweep_config
from search.results import export_best
from search.sweep import resume_sweep, run_sweep
from tests.search.conftest import local_ray  # noqa: F401  a fixture
from tests.shapes import draw_shapes
from tests.trainable.silver.sets import OPTIONS, noise, untrained
from trainable.silver.run import make_silver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TRAIN = {
    "model": "yolov5n", "image_size": 64, "batch_size": 8, "nominal_batch_size": 8, "min_warmup_iterations": 2,
    "device": "cpu", "epochs": 2, "autoanchor": False,
}  # fmt: skip
PARAMETERS = {
    "silver_confidence": {"low": 0.001, "high": 0.01, "log": True, "default": 0.002},
    "silver_min_boxes": {"type": "int", "low": 1, "high": 12, "default": 1},
    "lr0": {"low": 0.001, "high": 0.1, "log": True, "default": 0.01},
}


@pytest.fixture(scope="module")
def silver_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("silver")
    gold = draw_shapes(folder / "gold", train=8, val=4, seed=5)
    for number in range(4):
        noise(folder / "source" / f"new{number}.png", 20 + number, ((120, 90), (200, 60))[number % 2])
    return make_silver(untrained(folder), gold, folder / "set", folder / "source", OPTIONS).data


def write(folder: Path, data: Path, parameters: dict[str, object], **train: object) -> Path:
    (folder / "space.yaml").write_text(yaml.safe_dump({"parameters": parameters}))
    path = folder / "sweep.yaml"
    values = {"name": "silver", "data": str(data), "space": "space.yaml", "trials": 3, "seed": 3,
              "sampler": {"members": ["ga", "tpe"]}, "train": {**TRAIN, **train}}  # fmt: skip
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.usefixtures("local_ray")
def test_every_trial_has_its_thresholds_and_they_are_resumed_and_exported(silver_set: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    config = write(tmp_path, silver_set, PARAMETERS, cache_dir=str(cache))
    run = tmp_path / "run"
    assert "FAIL" not in run_sweep(load_sweep_config(config), run).states

    table = pd.read_csv(run / "results.csv")
    assert len(table) == 3
    assert table["params_silver_confidence"].between(0.001, 0.01).all()
    assert table["params_silver_confidence"].nunique() > 1
    assert (table["params_silver_min_boxes"] % 1 == 0).all()
    assert table.loc[0, "params_silver_confidence"] == 0.002
    # One file for all trainings, whatever their thresholds, and one for validation.
    assert len(list(cache.glob("*.bank"))) == 2

    resume_sweep(run, 1)
    assert len(pd.read_csv(run / "results.csv")) == 4
    export_best(run, None, 0)
    best = yaml.safe_load((run / "best_train.yaml").read_text())
    assert best["silver_min_boxes"] >= 1
    assert 0.001 <= best["silver_confidence"] <= 0.01
    assert best["silver_iou"] is None
    assert read_data_yaml(silver_set).splits.keys() >= {"train", "gold", "val", "full"}
    assert json.dumps(best)


@pytest.mark.usefixtures("local_ray")
def test_a_space_that_reaches_below_the_floor_is_refused_before_the_first_trial(
    silver_set: Path, tmp_path: Path
) -> None:
    parameters = {"silver_confidence": {"low": 0.0001, "high": 0.01, "default": 0.002}}
    with pytest.raises(InputError, match=r"silver_confidence is 0\.0001 and the candidates"):
        run_sweep(load_sweep_config(write(tmp_path, silver_set, parameters)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
