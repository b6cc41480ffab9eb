"""Straight simulations of the papers' algorithms, as slow and as plain as they are printed; values are losses.

They share nothing with the product: plain lists, sorted anew at every step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction


class Asha:
    """Algorithm 2 of Li et al. 2018, https://arxiv.org/abs/1810.05934.

    ``levels[k]`` is the resource of rung k. A configuration that is promoted from the last of them is trained to the
    maximum resource, where no decision is left.
    """

    def __init__(self, levels: Sequence[int], eta: int) -> None:
        self.levels = list(levels)
        self.eta = eta
        self.rungs: list[dict[int, float]] = [{} for _ in levels]
        self.promoted: list[set[int]] = [set() for _ in levels]
        self.drawn = 0

    def get_job(self, *, may_draw: bool = True) -> tuple[int, int] | None:
        """``get_job()``: a configuration, and the rung that it is trained to."""
        for k in reversed(range(self.open_rungs())):
            candidates = self.top_k(k, len(self.rungs[k]) // self.eta)
            promotable = [theta for theta in candidates if theta not in self.promoted[k]]
            if promotable:
                self.promoted[k].add(promotable[0])
                return promotable[0], k + 1
        if not may_draw:
            return None
        self.drawn += 1
        return self.drawn - 1, 0

    def top_k(self, k: int, count: int) -> list[int]:
        return self.ranking(k)[:count]

    def ranking(self, k: int) -> list[int]:
        return sorted(self.rungs[k], key=lambda theta: (self.rungs[k][theta], theta))

    def completed(self, theta: int, k: int, loss: float) -> None:
        """Update configuration theta in rung k with loss l."""
        if k < len(self.levels):
            self.rungs[k][theta] = loss

    def open_rungs(self) -> int:
        return len(self.levels)


class Pasha(Asha):
    """Algorithm 1 of Bohdal et al. 2022, https://arxiv.org/abs/2207.06940, with soft ranking."""

    def __init__(self, levels: Sequence[int], eta: int, epsilon: float | None) -> None:
        super().__init__(levels, eta)
        self.epsilon = epsilon
        self.top = 1  # K_t: configurations are trained up to rung K_t
        self.curves: dict[int, dict[int, float]] = {}

    def open_rungs(self) -> int:
        return min(self.top, len(self.levels))

    def measured(self, theta: int, epoch: int, loss: float) -> None:
        self.curves.setdefault(theta, {}).setdefault(epoch, loss)

    def completed(self, theta: int, k: int, loss: float) -> None:
        super().completed(theta, k, loss)
        if k == self.top and k < len(self.levels) and not self.same_ranking(k):
            self.top += 1

    def same_ranking(self, k: int) -> bool:
        """Whether each configuration of rung k is, in rung k - 1, in the group of the place that it has now."""
        now = self.ranking(k)
        before = [theta for theta in self.ranking(k - 1) if theta in self.rungs[k]]
        epsilon = self.noise(now, k) if self.epsilon is None else self.epsilon
        earlier = self.rungs[k - 1]
        for place, theta in enumerate(now):
            group = {other for other in before if abs(earlier[other] - earlier[before[place]]) <= epsilon}
            if theta not in group:
                return False
        return True

    def noise(self, thetas: list[int], k: int) -> float:
        """90th percentile of the distances of pairs that changed places twice."""
        top = self.levels[k]
        distances = []
        for one, other in itertools.combinations(thetas, 2):
            f, g = self.curves[one], self.curves[other]
            if any(
                (f[j] > g[j] and f[i] < g[i] and f[h] > g[h]) or (f[j] < g[j] and f[i] > g[i] and f[h] < g[h])
                for j, i, h in itertools.combinations(range(top, 0, -1), 3)
                if j == top
            ):
                distances.append(abs(f[top] - g[top]))
        return percentile(distances, Fraction(9, 10)) if distances else 0.0


def percentile(values: list[float], share: Fraction) -> float:
    """Linear between the order statistics."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + float(place - low) * (ranked[high] - ranked[low])
