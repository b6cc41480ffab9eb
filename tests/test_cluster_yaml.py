"""cluster.yaml is what `ray up` accepts, and says nothing about what is searched."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from search.config import SweepConfig
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

TEXT = Path(__file__).resolve().parents[1].joinpath("cluster.yaml").read_text(encoding="utf-8")


@pytest.fixture
def cluster() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(TEXT)
    return values


def test_ray_accepts_it(cluster: dict[str, Any]) -> None:
    validate_config(prepare_config(cluster))


def test_ray_would_refuse_an_unknown_key(cluster: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError, match="lr0"):
        validate_config(prepare_config({**copy.deepcopy(cluster), "lr0": 0.01}))


def test_spot_workers_are_one_choice_away(cluster: dict[str, Any]) -> None:
    chosen = TEXT.replace("# InstanceMarketOptions:", "InstanceMarketOptions:").replace(
        "#   MarketType: spot", "  MarketType: spot"
    )
    spot = yaml.safe_load(chosen)
    validate_config(prepare_config(spot))
    worker = spot["available_node_types"]["gpu_worker"]["node_config"]
    assert worker["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in cluster["available_node_types"]["gpu_worker"]["node_config"]


def test_one_head_and_gpu_workers(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert cluster["head_node_type"] == "head"
    assert types["head"]["max_workers"] == 0
    assert types["gpu_worker"]["resources"]["GPU"] >= 1


def test_the_cluster_wants_a_token_and_the_dashboard_stays_inside(cluster: dict[str, Any]) -> None:
    starts = [*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]]
    assert all("RAY_AUTH_MODE=token" in command for command in starts if "ray start" in command)
    assert any("--dashboard-host=127.0.0.1" in command for command in starts)
    assert any(path.endswith(".ray/auth_token") for path in cluster["file_mounts"])


def test_no_hyperparameter_stands_in_it(cluster: dict[str, Any]) -> None:
    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return {str(key) for key in value} | {k for inner in value.values() for k in keys(inner)}
        return {k for inner in value for k in keys(inner)} if isinstance(value, list) else set()

    searched = {*Hyp.names(), *TrainSettings.__dataclass_fields__, *SweepConfig.model_fields} - {"resources"}
    assert not keys(cluster) & searched
