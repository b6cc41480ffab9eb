"""The steps of a flow, each over the call that is behind a command of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from data_prep.config import load_prepare_config
from data_prep.dataset import read_data_yaml
from data_prep.errors import StoppedError, WorkFailedError
from data_prep.files import file_sha256
from data_prep.manifest import MANIFEST_NAME
from data_prep.prepare import prepare
from search.config import SweepConfig, load_sweep_config
from search.config_files import SWEEP_YAML, kept_files
from search.confirm.ledger import FOLDER, JSON
from search.confirm.plan import make_plan
from search.confirm.result import Confirmation
from search.confirm.run import confirm
from search.confirm.undecided import Undecided
from search.confirm.verdict import Verdict
from search.flow.book import digest_of
from search.flow.errors import ERRORS, confirmed_errors
from search.flow.raw import raw_digest
from search.flow.score import SCORE, score_test
from search.flow.step import Made, Place, Step
from search.identity import fingerprint
from search.keys import TARGET
from search.opening import load_study
from search.promote import PromoteOptions, promote
from search.promotion.publish import METRICS, PROMOTED
from search.report import write_report
from search.results import read_run
from search.space import load_space
from search.sweep import resume_sweep, run_sweep

T = TypeVar("T")
_EXTENDS = frozenset({"trials", "budget"})
"""Inputs of the sweep with which it goes on instead of beginning anew."""
_BEGINS = frozenset({"candidates", "epochs", "metric", "smallest_gain", "top_k"})
"""Inputs of the confirmation with which it begins anew instead of going on."""


def steps(place: Place) -> tuple[Step, ...]:
    """The steps of a flow, in their order."""
    config = place.config
    found = [Step("prepare", _prepare_inputs, _prepare)] if config.prepare is not None else []
    found.append(Step("sweep", _sweep_inputs, _sweep))
    if config.confirm is not None:
        found.append(Step("confirm", _confirm_inputs, _confirm))
    found.append(Step("final", _final_inputs, _final))
    if config.score is not None:
        found.append(Step("score", _score_inputs, _score))
    if config.errors is not None and config.confirm is not None:  # without it no weights have not seen the pictures
        found.append(Step("errors", _errors_inputs, _errors))
    return (*found, Step("report", _report_inputs, _report))


def _prepare_inputs(place: Place) -> Mapping[str, Any]:
    config = load_prepare_config(_given(place.config.prepare))
    return {"config": digest_of(config.model_dump(mode="json")), "raw": raw_digest(config)}


def _prepare(place: Place, changed: frozenset[str]) -> Made:
    out = place.folder / "data"
    if changed:
        place.aside(out)
    try:
        data = prepare(load_prepare_config(_given(place.config.prepare)), out, place.watch.progress)
    except KeyboardInterrupt as error:
        raise StoppedError("the preparation was stopped.") from error
    manifest = out / MANIFEST_NAME
    splits = json.loads(manifest.read_text(encoding="utf-8"))["splits"]
    return Made((data, manifest), {"images": {name: split["images"] for name, split in splits.items()}})


def sweep_config(place: Place) -> SweepConfig:
    """The sweep's configuration, with what this flow says otherwise."""
    return load_sweep_config(place.config.sweep, place.config.overrides(place.data))


def _sweep_inputs(place: Place) -> Mapping[str, Any]:
    config = sweep_config(place)
    searched = config.model_copy(update={"trials": 1, "budget": type(config.budget)()})
    weights = config.train.get("weights")
    return {
        "config": digest_of(kept_files(searched)),
        "data": fingerprint(Path(config.data)),
        "weights": file_sha256(Path(weights)) if weights and Path(weights).is_file() else weights,
        "trials": config.trials,
        "budget": config.budget.model_dump(mode="json"),
    }


def _sweep(place: Place, changed: frozenset[str]) -> Made:
    run_dir, config = place.sweep, sweep_config(place)
    if changed - _EXTENDS:
        place.aside(run_dir)
    if (run_dir / SWEEP_YAML).is_file():
        planned = load_study(config, run_dir).user_attrs.get(TARGET, config.trials)
        budget = (
            [f"{name}={getattr(config.budget, name)}" for name in config.budget.names] if "budget" in changed else []
        )
        found = resume_sweep(run_dir, max(config.trials - planned, 0) or None, place.watch.options, budget)
    else:
        found = run_sweep(config, run_dir, place.watch.options)
    if found.interrupted:
        raise StoppedError("the sweep was stopped.")
    best = found.best
    result: dict[str, Any] = {"states": found.states}
    if best is not None:
        result |= {"best_trial": best.trial.number, "best": best.value, "default": best.default_value}
    return Made((run_dir / "best_hyp.yaml", run_dir / "results.csv"), {"metric": config.metric, **result})


def _confirm_inputs(place: Place) -> Mapping[str, Any]:
    asked = _given(place.config.confirm)
    config, study = read_run(place.sweep)
    plan = make_plan(config, study, load_space(config.space), place.sweep, asked.options(), 0)
    return {"candidates": digest_of(plan.params), **asked.model_dump(exclude={"undecided"})}


def _confirm(place: Place, changed: frozenset[str]) -> Made:
    asked = _given(place.config.confirm)
    anew = bool(changed & _BEGINS) and (place.sweep / FOLDER / JSON).is_file()
    found = confirm(place.sweep, asked.options(anew=anew), place.watch.options)
    if found.verdict == Verdict.UNDECIDED and asked.undecided == Undecided.STOP:
        raise WorkFailedError(
            f"{found.look} seeds do not decide whether a hyp of the sweep beats the default: raise confirm.max_seeds, "
            "or set confirm.undecided to `default` or `best` to train one all the same"
        )
    return Made((place.sweep / FOLDER / JSON,), _confirmed(found))


def _confirmed(found: Confirmation) -> dict[str, Any]:
    rows = [{"trial": r.trial, "mean": r.mean, "gain": r.gain, "lower": r.lower, "upper": r.upper} for r in found.rows]
    return {
        "verdict": str(found.verdict),
        "trial": found.trial,
        "metric": found.metric,
        "seeds": found.look,
        "rows": rows,
    }


def _final_inputs(place: Place) -> Mapping[str, Any]:
    confirmed = place.sweep / FOLDER / JSON if place.config.confirm is not None else place.sweep / "best_hyp.yaml"
    config = read_run(place.sweep)[0]
    return {
        "hyp": file_sha256(confirmed),
        "data": fingerprint(Path(config.data)),
        "undecided": place.config.confirm.undecided if place.config.confirm is not None else None,
        **place.config.final.model_dump(exclude={"workers"}),  # who trains does not matter once it is trained
        "threshold_metric": place.config.threshold_metric,
    }


def _final(place: Place, _: frozenset[str]) -> Made:
    asked, final = place.config.confirm, place.config.final
    promoted = promote(
        place.sweep,
        PromoteOptions(
            confirm=None if asked is None else asked.options(),
            undecided=Undecided.STOP if asked is None else asked.undecided,
            address=place.watch.options.address,
            console=place.watch.options.console,
            on_start=place.watch.on_start,
            on_epoch=place.watch.on_epoch,
            on_finish=place.watch.say,
            **{**final.model_dump(), "threshold_metric": place.config.threshold_metric},
        ),
    )
    files = tuple(sorted(file for file in promoted.folder.rglob("*") if file.is_file()))
    kept = ("trial", "epochs", "megabytes", "test")
    return Made(files, {name: promoted.metrics[name] for name in kept})


def _score_inputs(place: Place) -> Mapping[str, Any]:
    config, folder = read_run(place.sweep)[0], place.sweep / PROMOTED
    made = {name: file_sha256(folder / name) for name in ("weights.pt", "thresholds.yaml") if (folder / name).is_file()}
    return {**made, "data": fingerprint(Path(config.data)), **_given(place.config.score).model_dump()}


def _score(place: Place, _: frozenset[str]) -> Made:
    asked, data = _given(place.config.score), Path(read_run(place.sweep)[0].data)
    out = place.folder / SCORE
    if asked.split not in read_data_yaml(data).splits:
        place.watch.say(f"nothing to score: {data} has no split `{asked.split}`")
        return Made((), {"split": asked.split, "map": None})
    return score_test(place.sweep / PROMOTED, data, out, asked, place.watch.progress)


def _errors_inputs(place: Place) -> Mapping[str, Any]:
    return {"weights": file_sha256(place.sweep / FOLDER / JSON), **_given(place.config.errors).model_dump()}


def _errors(place: Place, _: frozenset[str]) -> Made:
    asked = _given(place.config.confirm)
    found = confirm(place.sweep, asked.options(), place.watch.options).settled(asked.undecided)
    if found.checkpoint is None:
        place.watch.say("no errors to analyse: the confirmation left no checkpoint")
        return Made((), {"page": None})
    return confirmed_errors(found.checkpoint, place.folder / ERRORS, _given(place.config.errors), place.watch.progress)


def _report_inputs(place: Place) -> Mapping[str, Any]:
    files = (place.sweep / "results.csv", place.sweep / FOLDER / JSON, place.sweep / PROMOTED / METRICS)
    return {file.name: file_sha256(file) for file in files if file.is_file()}


def _report(place: Place, _: frozenset[str]) -> Made:
    return Made((write_report(place.sweep),), {})


def _given(value: T | None) -> T:
    """A section of the configuration that a step is there for."""
    if value is None:
        raise AssertionError("a step without its section")
    return value
