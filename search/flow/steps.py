"""The steps of a flow, each over the call that is behind a command of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.dataset import read_data_yaml
from data_prep.files import file_sha256
from search.confirm.ledger import FOLDER, JSON
from search.confirm.undecided import Undecided
from search.flow import confirm_step, sweep_step
from search.flow.errors import ERRORS, confirmed_errors
from search.flow.prepare_step import prepare_data, prepare_inputs
from search.flow.raw import data_digest
from search.flow.score import SCORE, score_test
from search.flow.step import Made, Place, Step, given
from search.promote import PromoteOptions, promote
from search.promotion.publish import METRICS, PROMOTED
from search.report import write_report
from search.results import read_run


def steps(place: Place) -> tuple[Step, ...]:
    """The steps of a flow, in their order."""
    config = place.config
    found = [Step("prepare", prepare_inputs, prepare_data)] if config.prepare is not None else []
    found.append(Step("sweep", sweep_step.sweep_inputs, sweep_step.run, sweep_step.clear))
    if config.confirm is not None:
        found.append(Step("confirm", confirm_step.confirm_inputs, confirm_step.run))
    found.append(Step("final", _final_inputs, _final))
    if config.score is not None:
        found.append(Step("score", _score_inputs, _score))
    if config.errors is not None and config.confirm is not None:  # without it no weights have not seen the pictures
        found.append(Step("errors", _errors_inputs, _errors))
    return (*found, Step("report", _report_inputs, _report))


def _final_inputs(place: Place) -> Mapping[str, Any]:
    asked = place.config.confirm
    return {
        "hyp": file_sha256(place.sweep / "best_hyp.yaml") if asked is None else confirm_step.confirmed_inputs(place),
        "data": data_digest(_data(place)),
        "undecided": None if asked is None else asked.undecided,
        **place.config.final.model_dump(exclude={"workers"}),  # who trains does not matter once it is trained
        "threshold_metric": place.config.threshold_metric,
    }


def _final(place: Place) -> Made:
    asked, watch = place.config.confirm, place.watch
    promoted = promote(
        place.sweep,
        PromoteOptions(
            confirm=None if asked is None else asked.options(),
            undecided=Undecided.STOP if asked is None else asked.undecided,
            address=watch.options.address,
            console=watch.options.console,
            on_start=watch.on_start,
            on_epoch=watch.on_epoch,
            on_finish=watch.say,
            **{**place.config.final.model_dump(), "threshold_metric": place.config.threshold_metric},
        ),
    )
    files = tuple(sorted(file for file in promoted.folder.rglob("*") if file.is_file()))
    kept = ("trial", "epochs", "megabytes", "test")
    return Made(files, {name: promoted.metrics[name] for name in kept})


def _score_inputs(place: Place) -> Mapping[str, Any]:
    folder = place.sweep / PROMOTED
    made = {name: file_sha256(folder / name) for name in ("weights.pt", "thresholds.yaml") if (folder / name).is_file()}
    return {**made, "data": data_digest(_data(place)), **given(place.config.score).model_dump()}


def _score(place: Place) -> Made:
    asked, data = given(place.config.score), _data(place)
    if asked.split not in read_data_yaml(data).splits:
        place.watch.say(f"nothing to score: {data} has no split `{asked.split}`")
        return Made((), {"split": asked.split, "map": None})
    return score_test(place.sweep / PROMOTED, data, place.folder / SCORE, asked, place.watch.progress)


def _errors_inputs(place: Place) -> Mapping[str, Any]:
    return {
        "confirmed": confirm_step.confirmed_inputs(place),
        "undecided": given(place.config.confirm).undecided,
        "data": data_digest(_data(place)),
        **given(place.config.errors).model_dump(),
    }


def _errors(place: Place) -> Made:
    checkpoint = confirm_step.confirmed(place).checkpoint
    if checkpoint is None:
        place.watch.say("no errors to analyse: the confirmation left no checkpoint")
        return Made((), {"page": None})
    return confirmed_errors(checkpoint, place.folder / ERRORS, given(place.config.errors), place.watch.progress)


def _report_inputs(place: Place) -> Mapping[str, Any]:
    files = (place.sweep / "results.csv", place.sweep / FOLDER / JSON, place.sweep / PROMOTED / METRICS)
    return {file.name: file_sha256(file) for file in files if file.is_file()}


def _report(place: Place) -> Made:
    return Made((write_report(place.sweep),), {})


def _data(place: Place) -> Path:
    """The data.yaml that the sweep was made with."""
    return Path(read_run(place.sweep)[0].data)
