"""Measures on a node what a trial takes: the images, the start, an epoch, a checkpoint.

As many trials are measured at a time as will train there at a time: they share cores, memory and GPUs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import ray
from ray import tune
from ray.air.constants import TIME_THIS_ITER_S
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data_prep.errors import HypsweepError, InputError, WorkFailedError
from search.keys import BATCH_SIZE, GPU_PEAK, GPU_TOTAL
from trainable.failures import FAILURE

_WARM_UP_S = 60.0
"""A first epoch that is shorter may be mostly warm-up: a second one is measured, and counts alone."""


@dataclass(frozen=True)
class Measured:
    """What a trial took, as a mean over those that were measured together; times in seconds.

    Attributes:
        at_a_time:
            How many trained together.
        epoch_seconds:
            An epoch with its validation.
        checkpoint_seconds, checkpoint_bytes:
            Writing a checkpoint, and its size.
        start_seconds:
            From an idle machine to the first epoch: a process, its imports, the training set up.
        restart_seconds:
            Setting up the next trial in the same process.
        image_seconds, image_bytes:
            Preparing the images, before all that; nothing where they lay in the cache already.
        batch_size:
            Images per forward pass that fitted into memory.
        gpu_memory_peak, gpu_memory_total:
            Bytes; None on a CPU.
    """

    at_a_time: int
    epoch_seconds: float
    checkpoint_seconds: float
    checkpoint_bytes: int
    start_seconds: float
    restart_seconds: float
    image_seconds: float = 0.0
    image_bytes: int = 0
    batch_size: int | None = None
    gpu_memory_peak: int | None = None
    gpu_memory_total: int | None = None


def measure(
    node: str,
    at_a_time: int,
    resources: Mapping[str, float],
    trainable: type[tune.Trainable] | None,
    config: dict[str, Any],
) -> Measured:
    """Measure a trial on a node.

    Args:
        node:
            Ray's id of the node.
        at_a_time:
            How many trials to measure together there.
        resources:
            ``num_cpus`` and ``num_gpus`` of one trial.
        trainable:
            What trains; None takes :class:`trainable.detection.DetectionTrainable`.
        config:
            The trial's configuration, as the searcher would hand it out.

    Raises:
        InputError, WorkFailedError: The training would fail; its own sentence.
    """
    where = NodeAffinitySchedulingStrategy(node, soft=False)
    # A process of its own each, which ends with what it holds, as that of a slot's first trial begins.
    options: dict[str, Any] = {"max_retries": 0, "max_calls": 1, "scheduling_strategy": where, **resources}
    task: Any = ray.remote(**options)
    images = {"seconds": 0.0, "bytes": 0}
    if trainable is None:
        images = _ask(task(_images), 1, config)[0][1]
    found = _ask(task(_trial), at_a_time, trainable, config)
    return _mean(found, images)


def _ask(task: Any, count: int, *arguments: Any) -> list[tuple[float, dict[str, Any]]]:  # noqa: ANN401  Ray's task
    """Run a task several times at once; how long each took as seen from here, and what it found."""
    begun = time.perf_counter()
    waiting, found = [task.remote(*arguments) for _ in range(count)], []
    while waiting:
        done, waiting = ray.wait(waiting)
        try:
            answer = ray.get(done[0])
        except ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise WorkFailedError(f"the trial that was to be measured died ({reason}): ask for less.") from error
        if "error" in answer:
            raise (InputError if answer["input"] else WorkFailedError)(answer["error"])
        found.append((time.perf_counter() - begun, answer))
    return found


def _mean(found: list[tuple[float, dict[str, Any]]], images: dict[str, Any]) -> Measured:
    values = [each for _, each in found]
    peaks = [each[GPU_PEAK] for each in values if each[GPU_PEAK]]
    return Measured(
        at_a_time=len(found),
        epoch_seconds=mean(each["epoch"] for each in values),
        checkpoint_seconds=mean(each["save"] for each in values),
        checkpoint_bytes=max(each["bytes"] for each in values),
        # What the driver waited, less what was done after the training had been set up.
        start_seconds=mean(waited - each["after"] for waited, each in found),
        restart_seconds=mean(each["restart"] for each in values),
        image_seconds=images["seconds"],
        image_bytes=images["bytes"],
        batch_size=values[0][BATCH_SIZE],
        gpu_memory_peak=max(peaks, default=None),
        gpu_memory_total=values[0][GPU_TOTAL],
    )


def _images(config: dict[str, Any]) -> dict[str, Any]:
    """Prepare the images. Runs on a node, as the next one does."""
    from trainable.hyp import Hyp
    from trainable.preflight import prepare_images
    from trainable.settings import TrainSettings

    try:
        cost = prepare_images(TrainSettings.from_mapping(config["train"]), Hyp.from_mapping(config["hyp"]))
    except HypsweepError as error:
        return {"error": str(error), "input": isinstance(error, InputError)}
    return cost._asdict()


def _trial(trainable: type[tune.Trainable] | None, config: dict[str, Any]) -> dict[str, Any]:
    """Train an epoch or two of a trial, write its checkpoint, set it up once more."""
    if trainable is None:
        from trainable.detection import DetectionTrainable  # loads torch, which has no place in the driver

        trainable = DetectionTrainable
    training: Any = trainable(config)
    begun = time.perf_counter()
    result = training.train()
    if not result.get(FAILURE) and not result.get("done") and result[TIME_THIS_ITER_S] < _WARM_UP_S:
        result = training.train()
    if result.get(FAILURE):
        return {"error": f"the epoch that was to be measured failed: {result[FAILURE]}", "input": False}
    with tempfile.TemporaryDirectory() as folder:
        save = _timed(lambda: training.save_checkpoint(folder))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    restart = _timed(lambda: training.reset_config(config))
    after = time.perf_counter() - begun
    training.stop()
    measured = {key: result.get(key) for key in (BATCH_SIZE, GPU_PEAK, GPU_TOTAL)}
    return {
        "epoch": result[TIME_THIS_ITER_S], "save": save, "bytes": size, "restart": restart, "after": after, **measured
    }  # fmt: skip


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
