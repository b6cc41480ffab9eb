"""What schedulers and the engine share."""

from __future__ import annotations

TIME_ATTR = "epoch"
"""The count of finished epochs in a result; Ray's own ``training_iteration`` starts again in a resumed trial."""
