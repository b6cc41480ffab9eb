"""The real trainable, which also notes every epoch that it trains: ``trial epoch pid`` a line in ``$EPOCHS_LOG``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trainable.detection import DetectionTrainable

VARIABLE = "EPOCHS_LOG"


class LoggedDetection(DetectionTrainable):
    def setup(self, config: dict[str, Any]) -> None:
        self._number = config["trial_number"]
        super().setup(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._number = new_config["trial_number"]
        return super().reset_config(new_config)

    def step(self) -> dict[str, Any]:
        result = super().step()
        with Path(os.environ[VARIABLE]).open("a") as log:
            log.write(f"{self._number} {result['epoch']} {os.getpid()}\n")
        return result
