"""Which configs of a source are taken: ranked among themselves, without near-copies of each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from optuna.distributions import BaseDistribution

from search.known.fit import Fitted, are_near, unit
from search.known.source import KnownSource, KnownTrial

NEAR = 0.02
"""Configs of one ranked source that differ in no parameter by this much of its range count as one."""
TOP = 5
"""How many configs of a ranked source are taken if nobody says."""


def ranking(source: KnownSource, metric: str, mode: Literal["max", "min"]) -> list[int]:
    """Indices of a source's trials, best first; a source is ranked by itself, never against another one.

    By the sweep's ``metric`` where the source measured it, else by the source's own value. What was trained further
    comes first, since values of different epochs say nothing about each other; what has no value comes last.
    """
    measured = [trial for trial in source.trials if trial.value is not None]
    by_metric = bool(measured) and all(metric in trial.metrics for trial in measured)
    sign = 1.0 if (mode == "max" if by_metric else source.maximize) else -1.0

    def place(index: int) -> tuple[bool, bool, int, float, int]:
        trial = source.trials[index]
        if trial.value is None:
            return True, False, 0, 0.0, index
        score = trial.metrics[metric] if by_metric else trial.value
        return False, not trial.finished, -(trial.epochs or 0), -sign * score, index

    return sorted(range(len(source.trials)), key=place)


@dataclass
class Choice:
    """What was taken of a source, and what was passed over.

    Attributes:
        taken:
            Index in the source and config, in the order in which they are to be tried.
        duplicates:
            How many the study has already.
        near:
            How many were near-copies of a better one, or of a trial of the study.
    """

    taken: list[tuple[int, Fitted]] = field(default_factory=list)
    duplicates: int = 0
    near: int = 0


def choose(
    candidates: Iterable[tuple[int, Fitted]],
    present: Collection[int],
    held: Sequence[Mapping[str, Any]],
    searched: Mapping[str, BaseDistribution],
    *,
    top: int | None,
    spread: bool,
) -> Choice:
    """Take configs that the study does not have.

    Args:
        candidates:
            Index and config, the best first; drawn only as far as they are needed.
        present:
            Indices that an earlier import of this source brought into the study: they count as taken.
        held:
            Parameters of all other trials of the study, waiting ones included.
        searched:
            What is searched.
        top:
            The most to take; None takes all.
        spread:
            Whether near-copies are passed over, too.
    """
    choice = Choice()
    places = [unit(params, searched) for params in held] if spread else []
    for index, fitted in _until(candidates, choice, top):
        place = unit(fitted.params, searched)
        if index not in present:
            if any(params == fitted.params for params in held) or _is_taken(choice, fitted):
                choice.duplicates += 1
                continue
            if spread and any(are_near(place, other, NEAR) for other in places):
                choice.near += 1
                continue
        choice.taken.append((index, fitted))
        places.append(place)
    return choice


def _until(candidates: Iterable[tuple[int, Fitted]], choice: Choice, top: int | None) -> Iterator[tuple[int, Fitted]]:
    source = iter(candidates)
    while top is None or len(choice.taken) < top:
        found = next(source, None)
        if found is None:
            return
        yield found


def _is_taken(choice: Choice, fitted: Fitted) -> bool:
    return any(fitted.params == other.params for _, other in choice.taken)


def curve_of(known: KnownTrial, epochs: int) -> dict[int, float]:
    """The values by epoch of a result, if the source kept them up to the last one."""
    return dict(known.curve) if epochs in known.curve else {}
