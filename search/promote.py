"""Promotes a sweep's winner, once it is confirmed: its hyp, trained on the full data set, as finished weights.

``promoted/`` appears at the end, whole: weights.pt, weights.onnx, hyp.yaml, train.yaml, metrics.json, thresholds.yaml,
model_card.md.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import yaml

from data_prep.errors import InputError
from search import node_checks, runtime
from search.config import SweepConfig
from search.confirm.options import ConfirmOptions
from search.confirm.plan import GOLD
from search.confirm.result import Confirmation
from search.confirm.run import confirm
from search.confirm.undecided import Undecided
from search.confirm.winner import confirmed_line, confirmed_trial
from search.drivers import driver
from search.opening import load_study
from search.options import Options
from search.paths import is_uri, join, write_text
from search.promotion.finish import Finish, finish
from search.promotion.gates import check_megabytes, refuse_large, refuse_metric
from search.promotion.metrics import final_metrics
from search.promotion.publish import HYP, PROMOTED, TRAIN, WEIGHTS, publish
from search.results import BestTrial, best_hyp_text, chosen_trial, read_run
from search.space import load_space
from trainable.hyp import Hyp, read_hyp
from trainable.settings import TrainSettings

if TYPE_CHECKING:
    from rich.console import Console

    from search.final_workers import FinalWorkers

FINAL = "final"
THRESHOLD_METRIC = "score75"


@dataclass(frozen=True)
class Promotion:
    """A finished promotion.

    Attributes:
        folder:
            Where weights, hyp, settings and metrics lie.
        trial:
            Number of the promoted trial.
        metrics:
            Content of ``metrics.json``.
        confirmation:
            What it rests on; None: it was taken as it is.
    """

    folder: Path
    trial: int
    metrics: dict[str, Any]
    confirmation: Confirmation | None = None


@dataclass(frozen=True, kw_only=True)
class PromoteOptions:
    """How a winner is promoted.

    Attributes:
        trial:
            Number of the trial, which is taken as it is; None takes the confirmed one. Of a sweep with several goals it
            must be one of the front.
        confirm:
            How the winner is confirmed before; None takes the best trial as it is.
        undecided:
            What is taken where that does not decide; ``STOP`` raises.
        epochs:
            Epochs of the final training; None takes those of the confirmation, or the sweep's.
        workers, sync_bn:
            How many train the final model together at most, and whether batch normalisation sees the images of all;
            see :class:`trainable.final.FinalTraining`.
        max_megabytes:
            Largest size of the weights file in 10^6 bytes; checked before any time is spent, and after.
        address:
            Ray cluster, see :func:`search.runtime.ray_runtime`.
        console:
            Where the progress of a confirmation is shown; None shows nothing.
        on_confirmed:
            Called with the confirmation, before the final training begins.
        on_start:
            Called with the trial's number and the epochs, before the final training begins.
        on_epoch:
            Called with the metrics of each epoch of the final training, and ``epochs``, how many there shall be.
        onnx:
            Whether ``weights.onnx`` is written, too, and run beside PyTorch.
        threshold_metric:
            By what thresholds are chosen (:func:`trainable.thresholds.parse_measure`).
        on_finish:
            Called with what begins after the final training, a sentence each.
    """

    trial: int | None = None
    confirm: ConfirmOptions | None = field(default_factory=ConfirmOptions)
    undecided: Undecided = Undecided.STOP
    epochs: int | None = None
    workers: int = 1
    sync_bn: bool = False
    max_megabytes: float = 100.0
    address: str | None = None
    console: Console | None = None
    on_confirmed: Callable[[Confirmation], None] | None = None
    on_start: Callable[[int, int], None] | None = None
    on_epoch: Callable[[dict[str, Any]], None] | None = None
    onnx: bool = True
    threshold_metric: str = THRESHOLD_METRIC
    on_finish: Callable[[str], None] | None = None


def promote(run_dir: str | Path, options: PromoteOptions | None = None) -> Promotion:
    """Confirm the best hyp of a sweep, train it on the full data set and write what a user takes away.

    What does not beat the default hyp is not promoted: the default's is trained then. The final model has seen the
    validation pictures, so it gets figures only from the data set's ``test`` split, or none. Stopped and started again,
    the work goes on from its last epochs.

    Args:
        run_dir:
            The sweep's folder.
        options:
            How it is promoted.

    Raises:
        InputError: The folder holds no sweep or no such trial, or is in use, the model's weights would be larger than
            allowed, or so many workers have no room.
        StoppedError: The user pressed Ctrl-C.
        WorkFailedError: No trial has finished an epoch, the confirmation did not decide, or a training failed.
    """
    options, run_dir = options or PromoteOptions(), Path(run_dir).absolute()
    config, study = read_run(run_dir)
    best = chosen_trial(config, study, run_dir, options.trial)
    hyp, settings = _final(config, best, options.epochs)
    refuse_large(hyp, settings, options.max_megabytes)
    refuse_metric(options.threshold_metric)
    _refuse_workers(config, settings, options)
    confirmed = _confirm(run_dir, options)
    if confirmed is not None:
        best = confirmed_trial(confirmed, config, study)
    hyp, settings = _final(config, best, options.epochs or (confirmed.epochs if confirmed else None))
    refuse_large(hyp, settings, options.max_megabytes)
    with driver(run_dir):
        if options.on_start is not None:
            options.on_start(best.trial.number, settings.epochs)
        metrics = _promote(config, study, best, settings, run_dir, options, confirmed)
    return Promotion(run_dir / PROMOTED, best.trial.number, metrics, confirmed)


def _confirm(run_dir: Path, options: PromoteOptions) -> Confirmation | None:
    """What the promotion rests on; None where a trial is to be taken as it is."""
    if options.trial is not None or options.confirm is None:
        return None
    found = confirm(run_dir, options.confirm, Options(address=options.address, console=options.console))
    if options.on_confirmed is not None:
        options.on_confirmed(found)
    return found.settled(options.undecided)


def _promote(
    config: SweepConfig,
    study: optuna.Study,
    best: BestTrial,
    settings: TrainSettings,
    run_dir: Path,
    options: PromoteOptions,
    confirmed: Confirmation | None,
) -> dict[str, Any]:
    """Train, judge and publish; what a failure leaves is the training's own checkpoints."""
    draft = Path(tempfile.mkdtemp(dir=run_dir, prefix=".promoted-"))
    try:
        header = (
            f"# {confirmed_line(confirmed)}\n"
            "# The figures below are the sweep trial's; those of the weights beside this file are in metrics.json.\n"
        )
        write_text(draft / HYP, header + best_hyp_text(best, config, load_space(config.space)))
        write_text(draft / TRAIN, yaml.safe_dump(settings.as_dict(), sort_keys=False))
        hyp = read_hyp(draft / HYP)
        trained = _train(config, run_dir, _name(best, settings, options), settings, hyp, draft / WEIGHTS, options)
        metrics = final_metrics(config, best, settings, hyp, draft / WEIGHTS, trained)
        check_megabytes(metrics["megabytes"], options.max_megabytes)
        work = Finish(
            run_dir=run_dir,
            config=config,
            study=study,
            best=best,
            settings=settings,
            hyp=hyp,
            confirmed=confirmed,
            onnx=options.onnx,
            threshold_metric=options.threshold_metric,
            say=options.on_finish or (lambda _: None),
        )
        metrics = finish(work, draft, metrics)
        publish(draft, run_dir / PROMOTED)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return metrics


def _final(config: SweepConfig, best: BestTrial, epochs: int | None) -> tuple[Hyp, TrainSettings]:
    """The trial's hyp; and its settings, on all pictures and without a validation (they were all trained on)."""
    hyp, chosen = load_space(config.space).split(best.trial.params)
    settings = TrainSettings.from_mapping({**config.settings().as_dict(), **chosen})
    if settings.train_split == GOLD:
        raise InputError(
            f"train.train_split is {GOLD}, and the full set of {config.data} has silver labels: promote a sweep of "
            "the data set that `hypsweep silver` was given."
        )
    settings = dataclasses.replace(settings, epochs=epochs or settings.epochs, train_split="full", val_split=None)
    return Hyp.from_mapping({**config.base_hyp().as_dict(), **hyp}), settings


def _name(best: BestTrial, settings: TrainSettings, options: PromoteOptions) -> str:
    """Name of the final training: the same promotion goes on with it, another one starts its own."""
    kind = "-sync_bn" if options.sync_bn else ""
    return f"{FINAL}-trial_{best.trial.number:05d}-{settings.epochs}_epochs{kind}"


def _train(
    config: SweepConfig,
    run_dir: Path,
    name: str,
    settings: TrainSettings,
    hyp: Hyp,
    weights: Path,
    options: PromoteOptions,
) -> dict[str, Any]:
    from trainable.final import FinalTraining, train_final  # loads torch, which a refused promotion does not need

    shared = config.storage_path
    storage = str(run_dir / FINAL)
    if shared:  # which may hold another sweep of this name
        storage = join(shared, f"{config.name}-{load_study(config, run_dir).user_attrs['key']}-{FINAL}")
    if not is_uri(storage):
        Path(storage).mkdir(parents=True, exist_ok=True)
    with runtime.ray_runtime(options.address):
        workers = _workers(config, settings, options)
        node_checks.check_nodes(config.resources, {"data": str(config.data)})
        training = FinalTraining(
            settings=settings,
            hyp=hyp,
            name=name,
            storage_path=storage,
            workers=workers.count,
            cpus=workers.cpus,
            gpus=workers.gpus,
            sync_bn=options.sync_bn,
            max_failures=config.max_failures,
        )
        on_epoch = options.on_epoch
        told = None if on_epoch is None else lambda metrics: on_epoch({**metrics, "epochs": settings.epochs})
        return train_final(training, weights, told)


def _workers(config: SweepConfig, settings: TrainSettings, options: PromoteOptions) -> FinalWorkers:
    from search.final_workers import final_workers  # loads torch, too

    return final_workers(
        config.resources, settings, options.workers, sync_bn=options.sync_bn, shared=runtime.is_shared(options.address)
    )


def _refuse_workers(config: SweepConfig, settings: TrainSettings, options: PromoteOptions) -> None:
    """Refuse workers that have no room before the hours of a confirmation; one always has what a trial has."""
    if options.workers > 1:
        with runtime.ray_runtime(options.address):
            _workers(config, settings, options)
