"""ConfirmOptions: what a confirmation is asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from data_prep.errors import InputError
from search.confirm.verdict import Rule

TOP_K = 3


@dataclass(frozen=True, kw_only=True)
class ConfirmOptions:
    """What a confirmation is asked for; None goes on with what it was begun with.

    Raises:
        InputError: A number is too small.
    """

    top_k: int | None = None
    """How many of the sweep's best trials are compared with the default hyp; 3 in a new one."""
    seeds: int | None = None
    """Seeds of the first round; 2 in a new one."""
    max_seeds: int | None = None
    """Seeds at most; 6 in a new one."""
    epochs: int | None = None
    """Epochs of each training; the sweep's in a new one."""
    metric: str | None = None
    """The reported value that decides; the sweep's in a new one."""
    smallest_gain: float | None = None
    """Gain in the metric that is worth having; 0.01 in a new one."""
    anew: bool = False
    """Put an earlier confirmation aside and begin another one, with seeds that no earlier one used."""

    def __post_init__(self) -> None:
        for name, least in {"top_k": 1, "seeds": 2, "max_seeds": 2, "epochs": 1}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"--{name.replace('_', '-')} {value}: give a whole number of at least {least}.")
        if self.smallest_gain is not None and not 0 < self.smallest_gain < float("inf"):
            raise InputError(f"--smallest-gain {self.smallest_gain:g}: give a number above 0.")

    def rule(self, begun: Rule) -> Rule:
        """When it is decided: as it was begun, but for what is asked for."""
        rule = dataclasses.replace(
            begun,
            step=self.seeds or begun.step,
            most=self.max_seeds or max(begun.most, self.seeds or 0),
            smallest_gain=self.smallest_gain or begun.smallest_gain,
        )
        if rule.most < rule.step:
            raise InputError(f"--max-seeds {rule.most} is less than --seeds {rule.step}: give at least as many.")
        return rule
