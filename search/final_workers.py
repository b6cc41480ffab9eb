"""What each worker of a final training occupies, and whether so many have room."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from data_prep.errors import InputError
from search import runtime
from search.config import ResourcesConfig
from trainable.replicas import Replicas
from trainable.settings import TrainSettings


@dataclass(frozen=True)
class FinalWorkers:
    """Who trains the final model.

    Attributes:
        count:
            How many workers at most; see :class:`trainable.final.FinalTraining`.
        cpus, gpus:
            What each occupies.
    """

    count: int
    cpus: float
    gpus: float


def final_workers(
    resources: ResourcesConfig, settings: TrainSettings, count: int, *, sync_bn: bool, shared: bool
) -> FinalWorkers:
    """Share out what Ray has; Ray must be running.

    One worker takes what a trial takes. Several take whole GPUs, because two on one would be slower than one. The cores
    of a Ray that was started for this training alone are shared among them; on a cluster, which others use and which
    may grow, each takes what a trial takes, and those that find no room are waited for while the others train.

    Args:
        resources:
            What a trial takes.
        settings:
            Of the training.
        count:
            Workers at most.
        sync_bn:
            Whether batch normalisation is to see the images of all workers.
        shared:
            Whether this is a cluster that is there for others, too.

    Raises:
        InputError: There is no room, or the batch cannot be shared.
    """
    runtime.check_resources(resources, growing=shared)
    gpus = 0.0 if settings.device == "cpu" else runtime.gpus_per_trial(resources)
    if count > 1 and gpus and settings.device not in {"auto", "cuda"}:
        raise InputError(f"train.device is {settings.device!r}: {count} workers take a GPU each; use `auto`.")
    Replicas(0, count, sync_bn).check(settings.batch_size, torch.device("cuda" if gpus else "cpu"))
    if count > 1 and gpus:
        gpus = max(gpus, 1.0)
    if shared:
        return FinalWorkers(count, resources.cpus, gpus)
    cores = runtime.largest_node("CPU")
    if count == 1:
        return FinalWorkers(count, max(resources.cpus, cores), gpus)
    _refuse_crowd(count, cores, gpus)
    return FinalWorkers(count, cores // count, gpus)


def _refuse_crowd(count: int, cores: float, gpus: float) -> None:
    room = min(cores, runtime.largest_node("GPU") // gpus) if gpus else cores
    if count > room:
        raise InputError(
            f"--workers {count}: this machine has room for {room:g} (each takes a core{' and a GPU' if gpus else ''}); "
            "take so many, or give the --address of a cluster."
        )
