"""What can be checked of a flow before its first step: the hours are spent before the last one."""

from __future__ import annotations

from data_prep.dataset import SPLIT_KEYS
from data_prep.errors import InputError
from search.confirm.verdict import Rule
from search.flow.config import FlowConfig
from search.flow.step import Place
from search.flow.sweep_step import sweep_config
from search.promotion.gates import refuse_metric
from search.results import QUALITY


def check_flow(place: Place) -> None:
    """Refuse what a later step would refuse.

    Raises:
        InputError: It names the key of the flow's YAML.
    """
    config, sweep = place.config, sweep_config(place)
    if sweep.objectives:
        raise InputError(
            "sweep: a flow takes the one winner, and this sweep has several `objectives`; use `hypsweep sweep` and "
            "`hypsweep promote RUN --trial N` for one of its front."
        )
    try:
        refuse_metric(config.threshold_metric)
    except InputError as error:
        raise InputError(f"final.threshold_metric: {error}") from error
    if config.score is not None and config.score.split not in SPLIT_KEYS:
        raise InputError(f"score.split is {config.score.split!r}: choose one of {', '.join(SPLIT_KEYS)}.")
    batch = sweep.settings().batch_size
    if config.final.workers > batch:
        raise InputError(f"final.workers is {config.final.workers} and train.batch_size {batch}: take fewer workers.")
    _check_confirm(config, sweep.metric)


def _check_confirm(config: FlowConfig, swept: str) -> None:
    asked = config.confirm
    if asked is None:
        return
    if asked.metric not in (None, swept, *QUALITY):
        raise InputError(
            f"confirm.metric is {asked.metric!r}: choose one of {', '.join(dict.fromkeys((swept, *QUALITY)))}."
        )
    try:
        asked.options().rule(Rule())
    except InputError as error:
        raise InputError(f"confirm: {error}") from error
