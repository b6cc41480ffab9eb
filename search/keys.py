"""Keys of what the engine stores in a study and reads from a result.

What samplers share with it is in :mod:`search.samplers.keys`.
"""

from __future__ import annotations

TARGET = "target"
"""User attribute of the study: the trials that it shall have, extensions included."""

WIDENED = "widened"
"""User attribute of the study: one entry for each time that its space was to be widened, with ``at`` (UTC), what is
``wider`` in words, and the identity of the new ``space``."""
DEFAULT = "default"
"""Stands as the author of trial 0, the default hyp, which no sampler drew."""
FAILURE = "failure"
"""User attribute of a failed trial: why, in one line."""
FAILURE_KIND = "failure_kind"
"""User attribute of a failed trial: a kind of :mod:`trainable.failures`, or of :mod:`search.crashes`."""
LAST = "last"
"""User attribute of a trial: ``epoch`` and ``metrics`` of its newest epoch; ``seconds`` and ``epochs_run`` of all that
were trained, repeated ones, too; and ``gpu_memory_peak``, the largest of all."""
GPU_SECONDS = "gpu_seconds"
"""Key in ``last``: the trial's ``seconds``, each times the GPUs that it occupied."""
BEST = "best"
"""User attribute of a trial: ``{"epoch", "metrics"}`` of its best epoch."""
SETTLED = "settled"
"""User attribute of a COMPLETE trial: how many trials had ended or come to wait at a rung when it had, itself included.
A plateau is counted from it (:mod:`search.budget.goals`)."""
HELD = "held"
"""User attribute of a RUNNING trial: whether it waits for a larger budget; None once it goes on."""
STOPPED_BY = "stopped_by"
"""User attribute of a trial that was PRUNED because the sweep had ended: by which budget."""

BATCH_SIZE = "batch_size"
"""Key of a result: images per forward pass that the epoch ended with; fewer than asked for where memory was short."""
GPU_PEAK = "gpu_memory_peak"
"""Key of a result: largest GPU memory of the training so far, in bytes; absent on a CPU."""
GPU_TOTAL = "gpu_memory_total"
"""Key of a result: memory of that GPU, in bytes."""
