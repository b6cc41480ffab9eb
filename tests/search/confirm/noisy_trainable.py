"""The quick trainable of the sweep's tests, with what seeds do: each training's fitness is off by its own noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.search.quadratic_trainable import QuadraticTrainable

SD = 0.015


class NoisyTrainable(QuadraticTrainable):
    def _start(self, config: dict[str, Any]) -> None:
        self._seed = int(config["train"]["seed"])
        super()._start(config)

    def step(self) -> dict[str, Any]:
        result = super().step()
        noise = np.random.default_rng([self._seed, self._number]).normal(0, SD)
        return {**result, "fitness": result["fitness"] + noise}
