"""Rejects a configuration that breaks a limit before it costs an epoch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from optuna.trial import Trial

from data_prep.errors import InputError
from search.goals.config import Limit
from search.goals.record import REJECTED
from search.space import Space
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

if TYPE_CHECKING:
    from search.config import SweepConfig

CONSTRAINT = "constraint"
"""``failure_kind`` of a trial that was rejected."""
MOST_REDRAWS = 100
"""So many configurations in a row that break a limit end a sweep."""

CostsOf = Callable[[TrainSettings, Hyp, Collection[str]], Mapping[str, float]]
"""The named costs of a configuration."""


class Verdict(NamedTuple):
    """How a configuration stands by the limits.

    Attributes:
        excess:
            By how much each cost is outside its limit, by its name; 0 or less inside. What Optuna calls constraints.
        reason:
            Which limit it breaks, in words; None where it keeps to all.
    """

    excess: Mapping[str, float]
    reason: str | None


class Screen:
    """The limits of a sweep.

    Args:
        limits:
            By the name of the cost.
        space:
            Splits a suggestion into hyps and settings.
        hyp:
            Base hyp that suggestions override.
        settings:
            Training settings that suggestions override.
        costs_of:
            What a configuration costs; asked for every one that is drawn.
    """

    def __init__(
        self,
        limits: Mapping[str, Limit],
        space: Space,
        hyp: Hyp,
        settings: TrainSettings,
        costs_of: CostsOf,
    ) -> None:
        self._limits = limits
        self._space = space
        self._hyp = hyp
        self._settings = settings
        self._costs_of = costs_of

    def check_start(self, params: Mapping[str, Any]) -> None:
        """Check trial 0 before anything begins.

        Raises:
            InputError: It breaks a constraint.
        """
        reason = self.judge(params).reason
        if reason is not None:
            raise InputError(
                f"the hyp and the settings that the sweep starts from break a constraint ({reason}): "
                "start from a smaller model (train.model) or loosen the constraint."
            )

    def judge(self, params: Mapping[str, Any]) -> Verdict:
        """How the configuration of a trial stands.

        Args:
            params:
                The trial's parameters.
        """
        hyp, settings = self._space.split(params)
        costs = self._costs_of(
            TrainSettings.from_mapping({**self._settings.as_dict(), **settings}),
            Hyp.from_mapping({**self._hyp.as_dict(), **hyp}),
            self._limits,
        )
        excess = {name: limit.excess(costs[name]) for name, limit in self._limits.items()}
        broken = [
            f"{name} is {costs[name]:.4g}, and constraints.{name} allows {self._limits[name]}"
            for name, over in excess.items()
            if over > 0
        ]
        return Verdict(excess, "; ".join(broken) or None)

    def mark(self, trial: Trial) -> None:
        """Say in a trial that is being drawn how it stands, and whether it is rejected."""
        verdict = self.judge(trial.params)
        for name, excess in verdict.excess.items():
            trial.set_constraint(name, excess)
        if verdict.reason is not None:
            trial.set_user_attr(REJECTED, verdict.reason)


def build_screen(config: SweepConfig, space: Space, costs_of: CostsOf | None = None) -> Screen | None:
    """The screen of a sweep; None where it has no constraints.

    Args:
        config:
            The sweep.
        space:
            What it searches.
        costs_of:
            What a configuration costs; None asks its model.
    """
    limits = config.constraints.limits()
    return Screen(limits, space, config.base_hyp(), config.settings(), costs_of or known_costs) if limits else None


def known_costs(settings: TrainSettings, hyp: Hyp, names: Collection[str]) -> Mapping[str, float]:
    """What :func:`trainable.footprint.known_costs` says; loads torch, which nothing else in a sweep's driver needs."""
    from trainable.footprint import known_costs as of

    return of(settings, hyp, names)
