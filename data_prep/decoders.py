"""Pillow and OpenCV held strict and silent while pictures are examined, whatever else in the process has set."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cv2.utils import logging as opencv_log
from PIL import ImageFile


class StrictDecoders:
    """Holds process-wide switches of Pillow and OpenCV as long as at least one thread needs them so.

    Cut pictures are errors (other libraries switch that off for the whole process), and neither warnings nor log
    lines reach the terminal. What was set before comes back when the last thread is done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._undo = ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the switches."""
        with self._lock:
            if self._inside == 0:
                self._switch()
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._undo.close()

    def _switch(self) -> None:
        self._undo.callback(setattr, ImageFile, "LOAD_TRUNCATED_IMAGES", ImageFile.LOAD_TRUNCATED_IMAGES)
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        logger = logging.getLogger("PIL")
        self._undo.callback(logger.setLevel, logger.level)
        logger.setLevel(logging.CRITICAL + 1)
        self._undo.callback(opencv_log.setLogLevel, opencv_log.getLogLevel())
        opencv_log.setLogLevel(opencv_log.LOG_LEVEL_SILENT)
        self._undo.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module=r"PIL\.")
