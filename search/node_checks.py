"""What is asked of a cluster's nodes before the first trial: what they see, and whether they can train."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data_prep.errors import InputError
from search.config import ResourcesConfig
from search.runtime import gpus_per_trial, nodes_for
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

_NODE_TIMEOUT_S = 60.0


def check_nodes(resources: ResourcesConfig, paths: Mapping[str, str]) -> None:
    """Check that every node that can run a trial sees the given files and folders; warn of one without a token.

    Args:
        resources:
            What one trial occupies; a node too small for it is not asked.
        paths:
            What must be there, by its key in the configuration.

    Raises:
        InputError: A node does not see one of them; both are named.
    """
    task = ray.remote(num_cpus=0, max_retries=0)(_inspect)
    asked, unguarded = {}, False
    for node in nodes_for(resources):
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked[task.options(scheduling_strategy=strategy).remote(dict(paths))] = node
    for reference, node in asked.items():
        missing, has_token = ray.get(reference, timeout=_NODE_TIMEOUT_S)
        unguarded |= not has_token
        if missing:
            key = next(iter(missing))
            raise InputError(
                f"{key}: node {node['NodeManagerHostname']} ({node['NodeManagerAddress']}) cannot read "
                f"{missing[key]}: mount it there under the same path, or put it on storage that all nodes reach."
            )

    if unguarded:
        warnings.warn(
            "Ray runs without token authentication (it was not started under RAY_AUTH_MODE=token): whoever reaches its "
            "ports can run code. See https://docs.ray.io/en/latest/ray-security/token-auth.html",
            stacklevel=2,
        )


def check_training(resources: ResourcesConfig, settings: Sequence[TrainSettings], hyp: Hyp) -> None:
    """Check on one node what would end every trial in the same way: model, weights, device, splits.

    Args:
        resources:
            What one trial occupies; the check takes as much.
        settings:
            Those that trials can have, as far as they matter here: one for each model and weights file.
        hyp:
            That of the first trial.

    Raises:
        InputError: See :func:`trainable.preflight.preflight`.
    """
    task = ray.remote(num_cpus=resources.cpus, num_gpus=gpus_per_trial(resources))(_preflight)
    failure = ray.get(task.remote([each.as_dict() for each in settings], hyp.as_dict()))
    if failure is not None:
        raise InputError(failure)


def _preflight(settings: list[dict[str, Any]], hyp: dict[str, float]) -> str | None:
    """What is wrong, in one sentence. Runs on a node: torch, which it loads, has no place in the driver."""
    from trainable.preflight import preflight

    try:
        for each in settings:
            preflight(TrainSettings.from_mapping(each), Hyp.from_mapping(hyp))
    except InputError as error:
        return str(error)
    return None


def _inspect(paths: dict[str, str]) -> tuple[dict[str, str], bool]:
    """Which of the paths this machine cannot read, and whether its Ray asks for a token. Runs on a node."""
    missing = {key: path for key, path in paths.items() if not os.access(path, os.R_OK)}
    return missing, bool(is_token_auth_enabled())
