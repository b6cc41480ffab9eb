"""What a sweep found: the study as a table, its best trial, and that one as YAML for YOLOv5 and for promotion."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import optuna
import pandas as pd
import yaml
from optuna.trial import FrozenTrial, TrialState

from data_prep.errors import InputError
from data_prep.files import write_atomically
from search.best import BestTrial, best_trial, chosen_trial, curve
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML
from search.edges import edges_of
from search.goals.front import front_table, pareto_front
from search.goals.record import REJECTED, is_rejected, values_by_epoch
from search.keys import BATCH_SIZE, BEST, FAILURE, FAILURE_KIND, GPU_PEAK, GPU_TOTAL, LAST
from search.known.evolve import write_evolve
from search.known.marks import SOURCE, is_result
from search.opening import load_study
from search.paths import write_text
from search.samplers import AUTHOR_KEY
from search.samplers.keys import FROM_PRIOR_KEY, STAGE_KEY, START
from search.space import load_space
from search.yields import member_yields
from trainable.hyp import Hyp, format_hyp

if TYPE_CHECKING:
    from search.goals.config import Objective
    from search.space import Space

__all__ = ["BestTrial", "best_trial", "chosen_trial", "export_best", "read_run", "results_table", "write_results"]

RESULTS_CSV = "results.csv"
FRONT_CSV = "front.csv"
SAMPLERS_CSV = "samplers.csv"
RESULTS_PARQUET = "results.parquet"
BEST_HYP = "best_hyp.yaml"
QUALITY = ("fitness", "precision", "recall", "map50", "map75", "map50_95")
"""What a header and a summary show of a trial's metrics."""
NOT_IN_STOCK = {"nominal_batch_size": 64, "min_warmup_iterations": 100}
"""Training settings that stock YOLOv5 has as constants."""
BEST_TRAIN = "best_train.yaml"
REJECTED_STATE = "REJECTED"
"""What a trial is called that broke a constraint; to Optuna it is PRUNED."""
_WHOLE = ("best_epoch", "epochs_run", BATCH_SIZE, GPU_PEAK, GPU_TOTAL)
"""Columns of whole numbers that a trial may lack."""


def count_states(study: optuna.Study) -> dict[str, int]:
    """How many trials are in which state, without imported ones; those that were rejected count apart."""
    trials = study.get_trials(deepcopy=False)
    counted = (trial for trial in trials if trial.state != TrialState.WAITING and not is_result(trial))
    return dict(Counter(map(state_name, counted)))


def state_name(trial: FrozenTrial) -> str:
    """What a trial is, for a reader."""
    return REJECTED_STATE if is_rejected(trial) else trial.state.name


class SmallerBatch(NamedTuple):
    """A trial that GPU memory did not let have the batch that was asked for.

    Attributes:
        number:
            The trial.
        ended:
            Images per forward pass in its last epoch.
        configured:
            Images that were asked for.
    """

    number: int
    ended: int
    configured: int

    def __str__(self) -> str:
        return f"trial {self.number} ended with batch {self.ended} instead of {self.configured} (GPU memory)"


def smaller_batches(study: optuna.Study, config: SweepConfig) -> tuple[SmallerBatch, ...]:
    """The trials whose last epoch had a smaller batch than configured, in their order."""
    common, found = config.settings().batch_size, []
    for trial in study.get_trials(deepcopy=False):
        ended = trial.user_attrs.get(LAST, {}).get("metrics", {}).get(BATCH_SIZE)
        configured = int(trial.params.get(BATCH_SIZE, common))
        if ended is not None and ended < configured:
            found.append(SmallerBatch(trial.number, int(ended), configured))
    return tuple(found)


def results_table(study: optuna.Study, goals: Sequence[Objective] = ()) -> pd.DataFrame:
    """One row per trial.

    Args:
        study:
            The study.
        goals:
            Its goals, where there are several.

    Columns: ``number``, ``state``, ``sampler``, ``from_prior`` (whether a prior drew it instead), ``stage``, ``value``
    (of the last epoch), ``epochs``, ``best_value``, ``best_epoch``, ``seconds``, ``epochs_run`` (repeated ones count,
    too), ``batch_size`` (that it ended with), ``gpu_memory_peak`` and ``gpu_memory_total`` (bytes), ``failure_kind``,
    ``failure``, ``source`` (of an imported trial), then ``params_*`` and, of the last epoch, ``metrics_*``. Where there
    are several goals, ``value`` is the first of them, and ``value_METRIC`` of each and ``front`` (whether nobody
    dominates it) stand behind ``source``.
    """
    trials = [t for t in study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]
    front = {each.trial.number for each in pareto_front(study)} if goals else set()
    rows = [_row(trial, goals, front) for trial in trials]
    fixed = list(_row_head(None)) + ([*_goal_cells(None, goals), "front"] if goals else [])
    params = _in_order(row for row in rows if row is not None)
    return pd.DataFrame(rows, columns=[*fixed, *params]).astype(dict.fromkeys(_WHOLE, "Int64"))


def _in_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [n for n in names if n.startswith("params_")] + [n for n in names if n.startswith("metrics_")]


def _row_head(trial: FrozenTrial | None) -> dict[str, Any]:
    attrs: dict[str, Any] = trial.user_attrs if trial else {}
    values = curve(trial) if trial else {}
    last, best = attrs.get(LAST, {}), attrs.get(BEST, {})
    metrics = last.get("metrics", {})
    return {
        "number": trial.number if trial else None,
        "state": state_name(trial) if trial else None,
        "sampler": attrs.get(AUTHOR_KEY),
        "from_prior": attrs.get(FROM_PRIOR_KEY),
        "stage": attrs.get(STAGE_KEY, {}).get("name"),
        "value": values.get(last.get("epoch")),
        "epochs": last.get("epoch", 0),
        "best_value": values.get(best.get("epoch")),
        "best_epoch": best.get("epoch"),
        "seconds": last.get("seconds"),
        "epochs_run": last.get("epochs_run", last.get("epoch")),
        BATCH_SIZE: metrics.get(BATCH_SIZE),
        GPU_PEAK: last.get(GPU_PEAK),
        GPU_TOTAL: metrics.get(GPU_TOTAL),
        FAILURE_KIND: attrs.get(FAILURE_KIND),
        "failure": attrs.get(FAILURE, attrs.get(REJECTED)),
        SOURCE: attrs.get(SOURCE),
    }


def _row(trial: FrozenTrial, goals: Sequence[Objective], front: Collection[int]) -> dict[str, Any]:
    metrics = trial.user_attrs.get(LAST, {}).get("metrics", {})
    return {
        **_row_head(trial),
        **(_goal_cells(trial, goals) | {"front": trial.number in front} if goals else {}),
        **{f"params_{name}": value for name, value in trial.params.items()},
        **{f"metrics_{name}": value for name, value in metrics.items() if name not in _WHOLE},
    }


def _goal_cells(trial: FrozenTrial | None, goals: Sequence[Objective]) -> dict[str, float | None]:
    reported = values_by_epoch(trial) if trial else {}
    values = reported.get(max(reported, default=0), (None,) * len(goals))
    return {f"value_{goal.metric}": value for goal, value in zip(goals, values, strict=True)}


def write_results(study: optuna.Study, config: SweepConfig, space: Space, run_dir: Path) -> None:
    """Write the tables of trials and of samplers and, once a trial has finished an epoch, the best hyp's YAMLs.

    YOLOv5's ``evolve.csv`` follows once a trial is COMPLETE. Where there are several goals, ``front.csv`` stands in the
    place of these YAMLs and of it: there is no best trial.
    """
    table = results_table(study, config.objectives)
    if config.objectives:
        write_text(run_dir / FRONT_CSV, front_table(study, config.objectives).to_csv(index=False))
    write_text(run_dir / RESULTS_CSV, table.to_csv(index=False))
    write_text(run_dir / SAMPLERS_CSV, member_yields(study).to_csv(index=False))
    buffer = io.BytesIO()
    _columns_of_one_type(table).to_parquet(buffer, index=False)
    write_atomically(run_dir / RESULTS_PARQUET, buffer.getvalue())
    best = best_trial(study)
    if best is not None:
        write_text(run_dir / BEST_HYP, best_hyp_text(best, config, space))
        write_text(run_dir / BEST_TRAIN, best_train_text(best, config, space))
    write_evolve(study, config, space, run_dir)


def _columns_of_one_type(table: pd.DataFrame) -> pd.DataFrame:
    """Choices of several kinds (``weights: [yolov5n.pt, false]``) share no Parquet type: such columns become text."""
    mixed = [
        name
        for name in table.columns
        if table[name].dtype == object and len({type(v) for v in table[name].dropna()}) > 1
    ]
    return table.assign(**{name: table[name].map(str, na_action="ignore") for name in mixed})


def best_hyp_text(best: BestTrial, config: SweepConfig, space: Space) -> str:
    """A stock YOLOv5 hyp with a comment header: sweep, trial, metrics, seed, date."""
    hyp, _ = space.split(best.trial.params)
    return format_hyp(Hyp.from_mapping({**config.base_hyp().as_dict(), **hyp}), _header(best, config, space))


def best_train_text(best: BestTrial, config: SweepConfig, space: Space) -> str:
    """What stands beside the hyp: model, optimizer, schedule, image size, batch, epochs, weights and the rest."""
    _, settings = space.split(best.trial.params)
    comment = "".join(f"# {line}\n" for line in _header(best, config, space).splitlines())
    return comment + yaml.safe_dump({**config.settings().as_dict(), **settings}, sort_keys=False)


def _header(best: BestTrial, config: SweepConfig, space: Space) -> str:
    trial, metrics = best.trial, best.trial.user_attrs.get(LAST, {}).get("metrics", {})
    ended = trial.datetime_complete or datetime.now()  # noqa: DTZ005  Optuna's times are local ones, too
    author = trial.user_attrs.get(AUTHOR_KEY, "unknown")
    lines = [
        f"hypsweep: sweep {config.name}, trial {trial.number} ({trial.state.name}, by {author})",
        f"{_reached(best, config)} after {best.epoch} of {config.epochs} epochs; {_standing(best, config)}",
        "metrics: " + ", ".join(f"{name} {metrics[name]:.4g}" for name in QUALITY if name in metrics),
        f"seed: sweep {config.seed}, training {config.settings().seed}",
        f"training path: {config.settings().path}",
        f"date: {ended.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
    ]
    settings = config.settings()
    unlike = [
        f"{name} {getattr(settings, name)}" for name in NOT_IN_STOCK if getattr(settings, name) != NOT_IN_STOCK[name]
    ]
    if unlike:
        lines.append(f"trained with {' and '.join(unlike)}, for which stock YOLOv5 has no option")
    if trial.state != TrialState.COMPLETE and not config.objectives:
        lines.append("No trial has reached its last epoch yet: this one is the best of those trained longest.")
    lines += [str(edge) for edge in edges_of(best, space)]
    return "\n".join(lines)


def _reached(best: BestTrial, config: SweepConfig) -> str:
    values = values_by_epoch(best.trial).get(best.epoch, (best.value,))
    return ", ".join(f"{goal.metric} {value:.5g}" for goal, value in zip(config.goals, values, strict=True))


def _standing(best: BestTrial, config: SweepConfig) -> str:
    return "on the front of the sweep" if config.objectives else beside_default(best)


def beside_default(best: BestTrial) -> str:
    """How the best trial stands beside trial 0, in words."""
    if best.trial.number == START:
        return "it is the hyp that the sweep started from"
    if best.default_value is None:
        return "the hyp that the sweep started from did not get so far"
    return f"the hyp that the sweep started from: {best.default_value:.5g} (one training each: mind the noise)"


def read_run(run_dir: str | Path) -> tuple[SweepConfig, optuna.Study]:
    """Configuration and study of a sweep's folder, to read from; its driver may be at work.

    Raises:
        InputError: The folder holds no sweep.
    """
    run_dir = Path(run_dir).absolute()
    if not (run_dir / SWEEP_YAML).is_file():
        raise InputError(f"{run_dir} holds no {SWEEP_YAML}: give the folder of a sweep.")
    config = load_sweep_config(run_dir / SWEEP_YAML)
    return config, load_study(config, run_dir)


def export_best(run_dir: str | Path, out: str | Path | None = None, trial: int | None = None) -> Path:
    """Write the best hyp of a sweep as a YAML for ``yolov5 train --hyp``, and bring its ``evolve.csv`` up to date.

    Args:
        run_dir:
            The sweep's folder.
        out:
            The file to write; None refreshes ``best_hyp.yaml`` in the folder, or writes ``hyp_trial_00003.yaml`` there.
        trial:
            Number of the trial; None takes the best. Of a sweep with several goals it must be one of the front.

    Returns:
        The file.

    Raises:
        InputError: The folder holds no sweep or no such trial, or ``out`` cannot be written.
        WorkFailedError: No trial has finished an epoch.
    """
    run_dir = Path(run_dir).absolute()
    config, study = read_run(run_dir)
    best, space = chosen_trial(config, study, run_dir, trial), load_space(config.space)
    name = BEST_HYP if trial is None else f"hyp_trial_{trial:05d}.yaml"
    path = Path(out).absolute() if out is not None else run_dir / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, best_hyp_text(best, config, space))
        write_evolve(study, config, space, run_dir)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another file.") from error
    return path
