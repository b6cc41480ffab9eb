"""The Ray that a sweep runs on: a local one for its own use, or a cluster that is there already.

What its nodes must find there is asked in :mod:`search.node_checks`.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import AuthenticationError

from data_prep.errors import InputError
from search.config import ResourcesConfig
from search.gpu_sharing import sharing

ROOMS = ("data_prep", "trainable", "search")

_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints a banner however quiet it is told to be
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # search/interrupt.py handles signals
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # search/results.py and search/tensorboard.py write
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # the searcher says in one sentence what Ray ends with a traceback
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the study has the reason; Ray's error.txt has the traceback
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",  # Ray's snapshots are not what we resume from
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial that asks for no GPU sees none; Ray 2.60 would show it all
}
_OBJECT_STORE_BYTES = 200 * 2**20  # hyps and metrics are all that passes; Ray would take 30 % of the memory
_KNOCK_TIMEOUT_S = 10.0


@contextmanager
def ray_runtime(address: str | None) -> Iterator[None]:
    """Ray, started or connected to, and left again afterwards; one that the caller has connected to is used as it is.

    Args:
        address:
            ``host:port`` of a cluster's head, ``auto`` on one of its nodes, or None: what ``RAY_ADDRESS`` says (set
            inside ``ray job submit``), else a local Ray of its own.

    Raises:
        InputError: There is no cluster at the address, or it is a Ray Client address.
    """
    with _environment(_ENVIRONMENT):
        if ray.is_initialized():
            yield
            return
        address = address or os.environ.get("RAY_ADDRESS")
        try:
            if address in (None, "local"):
                _start_local()
            else:
                _connect(str(address))
            yield
        finally:
            ray.shutdown()


def is_shared(address: str | None) -> bool:
    """Whether :func:`ray_runtime` takes a cluster, which may grow and serve others, and starts no Ray of its own."""
    return (address or os.environ.get("RAY_ADDRESS")) not in (None, "local")


def gpus_per_trial(resources: ResourcesConfig) -> float:
    """GPUs of one trial: as configured, else 1 where Ray has any."""
    if resources.gpus is not None:
        return resources.gpus
    return 1.0 if any(n["Resources"].get("GPU", 0) for n in _alive()) else 0.0


def largest_node(resource: str) -> float:
    """How much of a resource (``CPU``, ``GPU``) the node has that has most of it."""
    return max(float(node["Resources"].get(resource, 0)) for node in _alive())


def node_slots(resources: ResourcesConfig) -> list[tuple[str, int]]:
    """The ids of the nodes that can hold a trial, and how many at a time; the one that holds most of them first."""
    gpus = gpus_per_trial(resources)
    found = []
    for node in nodes_for(resources):
        room, total = int(node["Resources"]["CPU"] / resources.cpus), node["Resources"].get("GPU", 0)
        if gpus:
            room = min(room, int(total) * sharing(gpus) if gpus < 1 else int(total / gpus))
        found.append((node["NodeID"], room))
    return sorted(found, key=lambda node: -node[1])


def check_resources(resources: ResourcesConfig, *, growing: bool) -> None:
    """Check that some node can hold a trial; Ray would wait for ever.

    Args:
        resources:
            What one trial occupies.
        growing:
            Whether the cluster may yet get larger nodes: then nothing is refused.

    Raises:
        InputError: No node is large enough.
    """
    if growing or nodes_for(resources):
        return
    found = max((n["Resources"].get("CPU", 0), n["Resources"].get("GPU", 0)) for n in _alive())
    raise InputError(
        f"resources: a trial takes {resources.cpus:g} CPUs and {gpus_per_trial(resources):g} GPUs, "
        f"and the largest node has {found[0]:g} and {found[1]:g}: ask for less."
    )


class NodeWatch:
    """Tells whether the node that this driver is attached to is gone; Ray itself would wait for it for ever.

    Args:
        interval:
            Seconds between two looks at Ray's list of nodes.
    """

    def __init__(self, interval: float = 5.0) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        self._interval = interval
        self._next_look = 0.0
        self._lost = False

    def lost(self) -> bool:
        """Whether it was gone at the newest look."""
        if not self._lost and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._interval
            self._lost = all(node["NodeID"] != self._node for node in _alive())
        return self._lost


def nodes_for(resources: ResourcesConfig) -> list[dict[str, Any]]:
    """The nodes, as Ray describes them, that are large enough for a trial."""
    gpus = gpus_per_trial(resources)
    return [
        node
        for node in _alive()
        if node["Resources"].get("CPU", 0) >= resources.cpus and node["Resources"].get("GPU", 0) >= gpus
    ]


def _alive() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def _start_local() -> None:
    """A Ray for this driver alone; with ``local`` it never lands in a cluster that happens to run here.

    Ray listens on all interfaces whatever it is told, so token authentication, its default for a local Ray, is what
    keeps others out.
    """
    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=_OBJECT_STORE_BYTES,
    )


def _connect(address: str) -> None:
    """Connect to a cluster, and bring the three packages along where it has other machines than this one."""
    if address.startswith("ray://"):
        raise InputError(
            f"--address {address}: Ray Client cannot drive a sweep; give the head's host:port or use `ray job submit`."
        )
    _knock(address)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        ray.init(address=address, **options)
    except AuthenticationError as error:
        raise InputError(
            f"--address {address}: the cluster wants a token: set RAY_AUTH_MODE=token and put the cluster's token "
            "into ~/.ray/auth_token."
        ) from error
    except ConnectionError as error:
        raise InputError(f"--address {address}: no Ray cluster answers there; check it with `ray status`.") from error
    here = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    if any(node["NodeManagerAddress"] != here for node in _alive()):
        # Only now is it known. On this machine alone the workers import what the driver imports; shipped packages
        # would come first there and hide an editable installation.
        ray.shutdown()
        ray.init(address=address, runtime_env={"py_modules": package_folders(ROOMS)}, **options)


def _knock(address: str) -> None:
    """Ask whether anything listens at ``host:port``; Ray itself tries for three minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # `auto` and the like: Ray looks on this machine
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"--address {address}: no Ray cluster answers ({error}); check with `ray status`.") from error


def package_folders(names: Sequence[str]) -> list[str]:
    """Folders of packages, as Ray's ``py_modules`` wants them."""
    folders = []
    for name in names:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(f"package {name} is not installed")
        folders.append(str(Path(spec.submodule_search_locations[0]).resolve()))
    return folders


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that are not set yet, and take them away again."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
