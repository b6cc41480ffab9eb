"""What samplers and the engine tell each other through a trial's user attributes."""

from __future__ import annotations

from optuna.trial import FrozenTrial, TrialState

AUTHOR_KEY = "sampler"
"""Names the member that suggested the trial."""
STREAM_KEY = "hypsweep:stream"
"""System attribute of a trial: which of several drivers on one study drew it; absent for the first."""
DRIVER_KEY = "driver"
"""Number of the driver that holds the trial (:mod:`search.drivers`), or held it last; absent in studies of before."""
PAUSED_KEY = "paused"
"""Epoch of the rung at which a RUNNING trial waits to be promoted; absent or None while it trains."""
FROM_PRIOR_KEY = "from_prior"
"""Whether a trial was drawn from the prior instead of by its author; absent where there is no prior."""
STAGE_KEY = "stage"
"""The stage of a staged sweep that a trial belongs to, see :mod:`search.stages`."""
START = 0
"""Number of the trial with the hyp that a sweep starts from."""


def is_paused(trial: FrozenTrial) -> bool:
    """Whether a trial waits at a rung, with its checkpoint, to be promoted."""
    return trial.state == TrialState.RUNNING and trial.user_attrs.get(PAUSED_KEY) is not None
