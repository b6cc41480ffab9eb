"""SeedLedger: the one truth about trainings over several seeds: their plan, the looks, what each training reached.

It is written whole after every training, so a kill costs what was amid its epochs; these go on from their checkpoints.
"""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from data_prep.errors import InputError
from search.confirm.compare import Scores
from search.confirm.seed_plan import SeedPlan
from search.confirm.verdict import Rule
from search.paths import write_text
from search.samplers.keys import START

_FORMAT = 1


class Decided(Protocol):
    """What the looks say."""

    @property
    def is_decided(self) -> bool:
        """Whether there is nothing left to train for."""

    @property
    def trial(self) -> int | None:
        """The one whose checkpoint alone is of use; None: each one's is."""


PlanT_co = TypeVar("PlanT_co", bound=SeedPlan, covariant=True)
DecisionT_co = TypeVar("DecisionT_co", bound=Decided, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one training reached.

    Attributes:
        trial:
            Whose hyp it trained.
        place:
            Place of its seed, from 0.
        seed:
            The seed.
        value:
            The metric after the last epoch; None: it was lost.
        epochs:
            Epochs that it finished.
        seconds:
            What they took, those of this training's earlier workers left out.
        failure:
            Why it was lost.
        metrics:
            All that the last epoch reported.
    """

    trial: int
    place: int
    seed: int
    value: float | None
    epochs: int
    seconds: float = 0.0
    failure: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)


class SeedLedger(ABC, Generic[PlanT_co, DecisionT_co]):
    """Trainings over several seeds as they stand on disk.

    Args:
        path:
            The file.
        plan:
            What is compared.
        rule:
            When it is decided.
        looks:
            Seeds at each look so far; the last one's trainings may not all be there.
        trainings:
            What was trained.
    """

    plan_type: ClassVar[type[SeedPlan]]
    """What plans are read as."""
    what: ClassVar[str]
    """What the file holds, in words."""

    def __init__(
        self,
        path: Path,
        plan: PlanT_co,
        rule: Rule,
        looks: tuple[int, ...] = (),
        trainings: tuple[Training, ...] = (),
    ) -> None:
        self.path, self.plan, self.rule = path, plan, rule
        self.looks, self.trainings = looks, trainings

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the file; None where there is none.

        Raises:
            InputError: The file cannot be read, or is something else.
        """
        if not path.exists():
            return None
        try:
            return cls._from_dict(path, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is no {cls.what} that this version can read: move it away to begin another one."
            ) from error

    @classmethod
    def _from_dict(cls, path: Path, values: dict[str, Any]) -> Self:
        if values["format"] != _FORMAT:
            raise ValueError(values["format"])
        plan: Any = cls.plan_type.from_dict(values["plan"])
        rule = Rule(**values["rule"])
        return cls(path, plan, rule, tuple(values["looks"]), tuple(Training(**each) for each in values["trainings"]))

    def write(self, **more: Any) -> None:  # noqa: ANN401  whatever JSON can hold
        """Write it, with what else a reader of the file shall find there."""
        values = {
            "format": _FORMAT,
            "plan": self.plan.as_dict(),
            "rule": dataclasses.asdict(self.rule),
            "looks": list(self.looks),
            "trainings": [dataclasses.asdict(each) for each in self.trainings],
            **more,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, json.dumps(values, indent=2, allow_nan=False) + "\n")

    def ask(self, rule: Rule) -> None:
        """Take over another rule, such as more seeds; a look that was begun is finished all the same."""
        self.rule = rule

    def scores(self) -> Scores:
        """What was reached, by trial and in the order of seeds, turned so that more is better; None: it was lost."""
        found: dict[int, list[float | None]] = {trial: [] for trial in self.plan.trials}
        for training in sorted(self.trainings, key=lambda each: each.place):
            value = None if training.value is None else self.plan.sign * training.value
            found[training.trial].append(value)
        return found

    def due(self) -> list[tuple[int, int]]:
        """The trial and the place of the seed of each training that the last look still lacks, in their order."""
        if not self.looks:
            return []
        done = {(each.trial, each.place) for each in self.trainings}
        out = self.out()
        wanted = ((trial, place) for place in range(self.looks[-1]) for trial in self.plan.trials)
        return [pair for pair in wanted if pair not in done and pair[0] not in out]

    def out(self) -> Collection[int]:
        """The candidates that are trained no more, those that were lost."""
        return {each.trial for each in self.trainings if each.value is None and each.trial != START}

    def next_training(self, at_work: Container[tuple[int, int]]) -> tuple[int, int] | None:
        """The next training to begin; begins the next round where the last one is done and did not decide.

        Args:
            at_work:
                What is being trained.
        """
        if not self.due() and self._goes_on():
            self.looks = (*self.looks, self._next_look() or 0)
            self.write()
        return next((pair for pair in self.due() if pair not in at_work), None)

    def record(self, training: Training) -> None:
        """Write down what a training reached."""
        self.trainings = (*self.trainings, training)
        self.write()

    @abstractmethod
    def decide(self, looks: tuple[int, ...]) -> DecisionT_co:
        """What looks say of which all is trained."""

    def decision(self) -> DecisionT_co | None:
        """What the looks say of which all is trained; None before the first."""
        looks = self.looks[:-1] if self.due() else self.looks
        return self.decide(looks) if looks else None

    def is_over(self) -> bool:
        """Whether it is decided, or there are no more seeds."""
        return not self.due() and not self._goes_on()

    def _next_look(self) -> int | None:
        return self.rule.next_look(self.looks)

    def _goes_on(self) -> bool:
        """Whether another round shall be, once what is due is done."""
        if len(self.plan.params) == 1 or self._next_look() is None:
            return False
        decided = self.decision()
        return decided is None or not decided.is_decided


AnyLedger = SeedLedger[SeedPlan, Decided]
"""Trainings of whatever kind."""
