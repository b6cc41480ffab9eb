"""Scalars of every epoch and the hyperparameters of every trial, for TensorBoard's SCALARS and HPARAMS tabs.

Written by the driver into ``<run>/tensorboard/trial_00003/``, each step before Ray saves its checkpoint and flushed
at once: an epoch that a resumed trial goes on from is always there, and one that it repeats is not written twice.
"""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from ray.tune.utils import flatten_dict
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    EventFileLoader,
)
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData, SessionEndInfo
from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboardX.summary import hparams

from search.checkpoints import trial_dirname
from search.keys import BATCH_SIZE, GPU_PEAK, GPU_TOTAL
from search.outcome import metrics_of
from search.schedulers.keys import TIME_ATTR
from trainable.failures import FAILURE, FAILURE_KIND, SHARED

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

FOLDER = "tensorboard"
_PREFIX = "events"
_RUN = ("epoch_seconds", "images_per_second", "skipped_images", BATCH_SIZE, GPU_PEAK, GPU_TOTAL)


class TensorBoardCallback(Callback):
    """Writes what trials report.

    Args:
        folder:
            Where the trials' folders go.
        metrics:
            The optimized values, the first columns of the HPARAMS tab; one of them alone may be given as it is.
        searched:
            Names of the parameters that the HPARAMS tab shows; the others are the same in all trials.
    """

    def __init__(self, folder: Path, metrics: str | Sequence[str], searched: Collection[str]) -> None:
        self._folder = folder
        self._metrics = (metrics,) if isinstance(metrics, str) else tuple(metrics)
        self._searched = tuple(searched)
        self._logs: dict[int, _TrialLog] = {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Open the trial's log; again after a crash, when it is open already."""
        number = trial.config["trial_number"]
        if number not in self._logs:
            values = {**trial.config["train"], **trial.config["hyp"]}
            values = {name: values[name] for name in self._searched if name in values}
            self._logs[number] = _TrialLog(self._folder / trial_dirname(number), values, self._metrics)

    def on_trial_result(
        self,
        iteration: int,
        trials: list[Trial],
        trial: Trial,
        result: dict[str, Any],
        **info: object,
    ) -> None:
        """Write the epoch's scalars."""
        log = self._logs.get(trial.config["trial_number"])
        if log is not None:
            log.write(int(result[TIME_ATTR]), metrics_of(flatten_dict(result)))

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Mark the trial as ended; one that diverged has failed, one that lacks its data set waits for a resume."""
        result = trial.last_result or {}
        if result.get(FAILURE_KIND) in SHARED:
            self._close(trial, None)
        else:
            self._close(trial, "STATUS_FAILURE" if result.get(FAILURE) else "STATUS_SUCCESS")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: object) -> None:
        """Mark the trial as failed."""
        self._close(trial, "STATUS_FAILURE")

    def on_experiment_end(self, trials: list[Trial], **info: object) -> None:
        """Close what an interrupted sweep leaves open."""
        for log in self._logs.values():
            log.close()
        self._logs.clear()

    def _close(self, trial: Trial, status: str | None) -> None:
        log = self._logs.pop(trial.config["trial_number"], None)
        if log is not None:
            log.close(status)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_folder": self._folder,
            "_metrics": self._metrics,
            "_searched": self._searched,
            "_logs": {},
        }  # open files cannot be pickled


class _TrialLog:
    """The event file of one trial.

    It is written with the event writer itself: ``SummaryWriter`` queues in a thread, and what is in the queue when
    the driver is killed is gone, although the checkpoint of that epoch exists.
    """

    def __init__(self, folder: Path, values: Mapping[str, Any], metrics: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._last_step = last_step(folder)
        self._writer = EventsWriter(str(folder / _PREFIX), f".{time.time_ns()}")  # its own stamp counts seconds only
        shown = dict.fromkeys(tag(name) for name in (*metrics, "map50", "map50_95"))
        experiment, start, _ = hparams(dict(values), shown)
        self._write(Event(summary=experiment))
        self._write(Event(summary=start))
        self._writer.flush()

    def write(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write the scalars of an epoch, unless it is there already."""
        if epoch <= self._last_step:
            return
        self._last_step = epoch
        values = [Summary.Value(tag=tag(name), simple_value=value) for name, value in metrics.items()]
        self._write(Event(summary=Summary(value=values), step=epoch))
        self._writer.flush()

    def close(self, status: str | None = None) -> None:
        """Close the file; with a status the trial has ended, and HPARAMS shows it."""
        if status is not None:
            self._write(Event(summary=session_end(status)))
        self._writer.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.write_event(event)


def session_end(status: str) -> Summary:
    """The record that HPARAMS reads a trial's end from; tensorboardX itself writes ``STATUS_SUCCESS`` alone."""
    content = HParamsPluginData(session_end_info=SessionEndInfo(status=Status.Value(status)), version=0)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    value = Summary.Value(tag="_hparams_/session_end_info", metadata=SummaryMetadata(plugin_data=plugin))
    return Summary(value=[value])


def tag(name: str) -> str:
    """The scalar's tag; what stands before its slash groups it: ``train/box_loss``, ``val/..``, ``metrics/..``."""
    if name in _RUN:
        return f"run/{name}"
    group, _, rest = name.partition("_")
    if group in ("train", "val", "lr") and rest:
        return f"{group}/{rest}"
    return name if "/" in name else f"metrics/{name}"


def last_step(folder: Path) -> int:
    """The last epoch in a trial's event files, 0 where there is none; a record cut off by a kill ends its file."""
    steps = [
        event.step for path in folder.glob(f"{_PREFIX}.out.tfevents.*") for event in EventFileLoader(str(path)).Load()
    ]
    return max(steps, default=0)
