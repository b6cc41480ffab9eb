"""Says while a sweep runs how many trials its GPUs could share, by what the first ones were measured to need."""

# ruff: noqa: ARG002  Ray passes all of these to its hooks, by keyword
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ray.tune import Callback
from ray.tune.result import DONE

from search.gpu_sharing import advice, greed
from search.keys import GPU_PEAK, GPU_TOTAL
from search.schedulers.keys import TIME_ATTR

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

_SETTLED_EPOCHS = 2


class GpuAdvice(Callback):
    """Says once how many trials fit on a GPU, and once if ``resources.gpus`` puts more there than fit.

    Args:
        say:
            Gets one line for the user.
        gpus:
            GPUs of one trial.
    """

    def __init__(self, say: Callable[[str], None], gpus: float) -> None:
        self._say = say
        self._gpus = gpus
        self._advised = self._warned = False

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: object
    ) -> None:
        """Look at the epoch's peak."""
        peak, total = result.get(GPU_PEAK), result.get(GPU_TOTAL)
        if not peak or not total:  # on a CPU, or an epoch that did not come to its end
            return
        number = trial.config["trial_number"]
        if not self._advised and (result[TIME_ATTR] >= _SETTLED_EPOCHS or result.get(DONE)):
            self._advised = True
            self._say(advice(number, peak, total))
        warning = greed(number, peak, total, self._gpus)
        if warning and not self._warned:
            self._warned = True
            self._say(warning)

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks; a console stays in the driver
