"""Where finished weights come from: the sections of a model card about sweep, training, versions and commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from search.config_files import SWEEP_YAML
from search.confirm.plan import TRAIN as TRAINED_ON
from search.confirm.result import Confirmation, Row
from search.confirm.winner import confirmed_line
from search.promotion.facts import CardFacts
from search.promotion.markdown import code, number, section, table, text
from search.promotion.publish import PROMOTED, WEIGHTS
from search.samplers.keys import START

_BESIDE = ("optimizer", "lr_schedule", "batch_size", "nominal_batch_size", "weights", "path", "seed")
"""Settings of the training that a reader asks for first; ``train.yaml`` has all."""
_AGAIN = "runs/again"


def found_by(facts: CardFacts) -> list[str]:
    """The sweep, and what was confirmed of its winner."""
    config, found = facts.config, facts.metrics
    states = ", ".join(f"{count} {state}" for state, count in sorted(facts.states.items()))
    members = ", ".join(config.sampler.names)
    line = (
        f"{sum(facts.states.values())} trials ({states}), samplers {members}, scheduler {config.scheduler.type}, "
        f"{config.epochs} epochs, seed {config.seed}, trained on `{config.settings().train_split}`. "
        f"In the sweep {facts.winner} had {text(config.metric)} {number(found['trial_value'])}"
    )
    other = found["trial_0_value"]
    line += "." if other is None or facts.trial == START else f", the hyp that it started from {number(other)}."
    return section(
        "Sweep",
        line,
        table(("searched", facts.winner), ((name, _short(value)) for name, value in facts.searched.items())),
        f"**{text(confirmed_line(facts.confirmed))}**",
        *_confirmation(facts.confirmed),
    )


def _short(value: object) -> object:
    return f"{value:.5g}" if isinstance(value, float) else value


def _confirmation(found: Confirmation | None) -> list[str | list[str]]:
    if found is None:
        return ["The best of many single trainings is flattered by luck; `hypsweep confirm` would tell."]
    if not found.look:
        return ["There was no other hyp to compare."]
    intro = (
        f"Trained anew with {found.look} new seeds each, {found.epochs} epochs on `{TRAINED_ON}`, judged on the "
        f"validation split by {text(found.metric)}; gains over the default hyp with their intervals:"
    )
    return [intro, table(("hyp", "seeds", "mean", "gain", "interval"), map(_confirmed, found.rows))]


def _confirmed(row: Row) -> tuple[object, ...]:
    name = "default" if row.trial == START else f"trial {row.trial}"
    interval = "" if row.lower is None else f"{number(row.lower, '+')} to {number(row.upper, '+')}"
    return name, row.seeds, number(row.mean), number(row.gain, "+"), interval


def trained_with(facts: CardFacts) -> list[str]:
    """The hyp, and what stands beside it."""
    settings = facts.settings.as_dict()
    beside = [f"{name} {text(settings[name])}" for name in _BESIDE if settings[name] is not None]
    hyp = [f"{name}: {value}" for name, value in facts.hyp.as_dict().items()]
    return section("Training", f"{facts.settings.epochs} epochs, {', '.join(beside)}.", code(hyp, "yaml"))


def versions(facts: CardFacts) -> list[str]:
    """What it was made with."""
    found: Mapping[str, str] = facts.metrics["versions"]
    line = ", ".join(f"{text(name)} {text(release)}" for name, release in found.items())
    return section(
        "Versions", f"{line}.", "The yolov5 package, whose classes are in `weights.pt`, is under the AGPL-3.0."
    )


def repeat(facts: CardFacts) -> list[str]:
    """The commands that make it again, and those that use it."""
    used: list[list[object]] = [
        ["predict", Path(_AGAIN, PROMOTED, WEIGHTS), "PICTURES", "-o", "predictions.csv"],
        ["score", "ANSWER.csv", "predictions.csv"],
    ]
    return section(
        "Repeat",
        code(map(_command, _made(facts)), "sh"),
        "Other thresholds: `hypsweep promote` with `--threshold-metric f1`, say, or `hypsweep thresholds WEIGHTS "
        f"DATA.yaml` with weights that were trained on `{TRAINED_ON}` alone. Predict and score:",
        code(map(_command, used), "sh"),
    )


def _made(facts: CardFacts) -> Iterator[list[object]]:
    """Sweep, confirm and promote."""
    yield ["sweep", facts.run_dir / SWEEP_YAML, "--out", _AGAIN]
    found, chosen = facts.confirmed, facts.thresholds.content
    if found is not None:
        seeds = ["--top-k", max(len(found.rows) - 1, 1), "--max-seeds", max(found.look, 2)]
        judged = ["--metric", found.metric, "--smallest-gain", f"{found.smallest_gain:g}"]
        yield ["confirm", _AGAIN, *seeds, "--epochs", found.epochs, *judged]
    which = [] if found is not None else ["--trial", facts.trial]
    metric = [] if chosen is None else ["--threshold-metric", chosen["metric"]]
    onnx = [] if facts.onnx is not None else ["--no-onnx"]
    yield ["promote", _AGAIN, *which, "--epochs", facts.settings.epochs, *metric, *onnx]


def _command(words: Iterable[object]) -> str:
    return f"hypsweep {shlex.join(map(str, words))}"
