"""The final training, on Ray Train: the whole data set, the winner's hyp, resumable from its last epoch.

What a training goes on from is looked up on the storage, never in Ray's own snapshot: that one learns of a checkpoint
up to two seconds after it was stored, and a kill in mid-writing leaves it unreadable. So every driver writes a session
of its own (:mod:`trainable.stored`), which Ray begins without a past.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from pyarrow.fs import FileSystem  # type: ignore[import-untyped]
from ray import train
from ray.exceptions import RayActorError
from ray.train.torch import TorchTrainer, get_device
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data_prep.errors import HypsweepError, StoppedError, WorkFailedError
from trainable.failures import FAILURE, FAILURE_KIND, error_of, kind_of
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.replicas import Replicas
from trainable.settings import TrainSettings
from trainable.stored import checkpoint_folders, next_session, whole_checkpoints
from trainable.weights import save_stripped

WEIGHTS = "weights.pt"


@dataclass(frozen=True)
class FinalTraining:
    """What a final training is told.

    Attributes:
        settings, hyp:
            What is trained.
        name:
            Name of the training in ``storage_path``; one of the same name is gone on with.
        storage_path:
            Where its checkpoints lie: a path that all nodes reach, or a bucket.
        workers:
            How many train together at most. Where a node is lost for good, the others go on from the last epoch; where
            one comes, it joins.
        cpus, gpus:
            What each worker occupies.
        sync_bn:
            Whether batch normalisation sees the images of all workers, see :class:`trainable.replicas.Replicas`.
        max_failures:
            How often a lost worker is replaced.
    """

    settings: TrainSettings
    hyp: Hyp
    name: str
    storage_path: str
    workers: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    sync_bn: bool = False
    max_failures: int = 3


def train_final(
    training: FinalTraining, weights: Path, on_epoch: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, Any]:
    """Train to the last epoch and write the stripped EMA weights to ``weights``.

    Ray must be running. Started again after a kill, the training goes on from its last finished epoch.

    Args:
        training:
            What is trained, and on what.
        weights:
            The file to write.
        on_epoch:
            Called in a thread of this process with the metrics of each epoch.

    Returns:
        The metrics of the last epoch, and ``workers``, how many trained it.

    Raises:
        StoppedError: The user pressed Ctrl-C.
        InputError: Its data is gone or broken.
        WorkFailedError: The training diverged, found no memory, or a worker was lost more often than allowed.
    """
    _keep_newest(training)
    with _listening(on_epoch) as queue:
        result = _fit(_trainer(training, queue).fit, training)
    failed = result.return_value  # type: ignore[attr-defined]  # Ray's types lag
    if failed is not None:
        raise error_of(failed[FAILURE_KIND], f"the final training failed: {failed[FAILURE]}")
    metrics: dict[str, Any] = dict(result.metrics or {})
    if result.checkpoint is None:
        raise WorkFailedError(f"{training.storage_path}: the final training left no checkpoint; run it again.")
    with result.checkpoint.as_directory() as folder:
        shutil.copyfile(Path(folder) / WEIGHTS, weights)
    return metrics


def _sessions(storage_path: str, name: str) -> tuple[FileSystem, str]:
    """Where the sessions of a training lie."""
    filesystem, base = FileSystem.from_uri(storage_path)
    return filesystem, f"{base}/{name}"


def _keep_newest(training: FinalTraining) -> None:
    """Delete what earlier drivers left of this training, but for the checkpoint to go on from."""
    filesystem, base = _sessions(training.storage_path, training.name)
    newest = max(whole_checkpoints(filesystem, base), default=None)
    for _, folder in checkpoint_folders(filesystem, base):
        if newest is None or folder != newest.path:
            filesystem.delete_dir(f"{base}/{folder}")


def _trainer(training: FinalTraining, queue: Queue | None) -> TorchTrainer:
    resources = {"CPU": training.cpus, **({"GPU": training.gpus} if training.gpus else {})}
    session = next_session(*_sessions(training.storage_path, training.name))
    return TorchTrainer(
        _worker,  # type: ignore[arg-type]  # Ray's types lag: what it returns is `Result.return_value`
        train_loop_config={
            "train": training.settings.as_dict(),
            "hyp": training.hyp.as_dict(),
            "name": training.name,
            "storage_path": training.storage_path,
            "queue": queue,
            "sync_bn": training.sync_bn,
        },
        scaling_config=train.ScalingConfig(
            # Elastic where there are several: as many as there is room for.
            num_workers=1 if training.workers == 1 else (1, training.workers),  # type: ignore[arg-type]  # Ray's types lag
            use_gpu=training.gpus > 0,
            resources_per_worker=resources,
        ),
        run_config=train.RunConfig(
            name=f"{training.name}/{session}",
            storage_path=training.storage_path,
            failure_config=train.FailureConfig(max_failures=training.max_failures),
            checkpoint_config=train.CheckpointConfig(num_to_keep=1),
        ),
    )


@contextmanager
def _listening(on_epoch: Callable[[dict[str, Any]], None] | None) -> Iterator[Queue | None]:
    """A queue from the worker to ``on_epoch``; Ray Train itself tells the driver nothing before the end."""
    if on_epoch is None:
        yield None
        return
    # Beside the driver, whose end is the end of it all; any other node may be lost, and the training goes on.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    queue = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    thread = threading.Thread(target=_listen, args=(queue, on_epoch), daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        with contextlib.suppress(RayActorError):
            queue.put(None)
        thread.join(timeout=10)
        queue.shutdown()


def _listen(queue: Queue, on_epoch: Callable[[dict[str, Any]], None]) -> None:
    with contextlib.suppress(RayActorError):  # Ray is gone, or going
        while (metrics := queue.get()) is not None:
            on_epoch(metrics)


def _fit(fit: Callable[[], train.Result], training: FinalTraining) -> train.Result:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    in_main = threading.current_thread() is threading.main_thread()
    if in_main:
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # Ray's own would abort
    try:
        return fit()
    except (KeyboardInterrupt, SystemExit) as error:
        # Ray Train's own handler of Ctrl-C winds down and leaves by `sys.exit(0)`.
        raise StoppedError(
            f"the final training was stopped; run the command again to go on from its last epoch in "
            f"{training.storage_path}."
        ) from error
    except train.TrainingFailedError as error:
        reason = _reason(str(error))
        raise WorkFailedError(
            f"the final training failed: {reason.rstrip('.')}; run the command again to go on from its last epoch "
            f"in {training.storage_path}."
        ) from error
    finally:
        for number, handler in before.items() if in_main else ():
            signal.signal(number, handler)  # Ray Train leaves its own behind


def _reason(traceback: str) -> str:
    """Why a training failed: "module.Class: message" at the end of a traceback.

    Of several workers the one that ended by an error of ours is the reason; the others lost it.
    """
    lines = traceback.strip().splitlines()
    ours = [line for line in lines if line.startswith(f"{HypsweepError.__module__}.")]
    return (ours or lines)[-1].split(": ", 1)[-1][:300]


def _worker(config: dict[str, Any]) -> dict[str, str] | None:
    """Runs in each of Ray Train's workers: the epoch loop.

    Returns:
        Why the training is over for good, as Ray would try again what is raised; None: it ran to its end. Only one that
        trains alone returns so: others wait for a worker that fails, and Ray must end them.
    """
    context = train.get_context()
    replicas = Replicas(context.get_world_rank(), context.get_world_size(), config["sync_bn"])
    try:
        _train(config, replicas)
    except HypsweepError as error:
        kind = kind_of(error)
        if kind is None or replicas.world_size > 1:
            raise
        return {FAILURE: str(error), FAILURE_KIND: kind}
    return None


def _train(config: dict[str, Any], replicas: Replicas) -> None:
    """Train, with a checkpoint and stripped weights after each epoch."""
    settings = _on_own_gpu(TrainSettings.from_mapping(config["train"]))
    loop = EpochLoop(settings, Hyp.from_mapping(config["hyp"]), replicas=replicas)
    filesystem, base = _sessions(config["storage_path"], config["name"])
    newest = replicas.told(max(whole_checkpoints(filesystem, base), default=None))
    if newest is not None:
        with train.Checkpoint(f"{base}/{newest.path}", filesystem).as_directory() as folder:
            loop.load(folder)
    if loop.finished:  # killed between its last report and the end
        _report(loop, loop.last, None, replicas)
    while not loop.finished:
        _report(loop, loop.run_epoch().as_dict(), config["queue"], replicas)


def _on_own_gpu(settings: TrainSettings) -> TrainSettings:
    """The settings on the GPU that Ray gave this worker: those of one node see each other's, too."""
    own = get_device()
    if own.type != "cuda" or settings.device not in {"auto", "cuda"}:
        return settings
    return dataclasses.replace(settings, device=str(own))


def _report(loop: EpochLoop, metrics: dict[str, Any], queue: Queue | None, replicas: Replicas) -> None:
    """Tell Ray and the driver of an epoch; every worker must, and the first one has the checkpoint."""
    metrics = {**metrics, "workers": replicas.world_size}
    if not replicas.first:
        train.report(metrics)
        return
    with tempfile.TemporaryDirectory() as folder:
        save_stripped(loop.parts.ema.ema, Path(folder) / WEIGHTS)
        loop.save(folder)
        train.report(metrics, checkpoint=train.Checkpoint.from_directory(folder))
    if queue is not None:
        with contextlib.suppress(RayActorError):  # nobody to be told is no reason to end
            queue.put(metrics)
