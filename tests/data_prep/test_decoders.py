from __future__ import annotations

import logging
import warnings

import pytest
from cv2.utils import logging as opencv_log
from PIL import ImageFile

from data_prep.decoders import StrictDecoders


def test_switches_are_held_until_the_last_user_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    logger, level, filters = logging.getLogger("PIL"), opencv_log.getLogLevel(), [*warnings.filters]
    strict = StrictDecoders()
    first, second = strict.held(), strict.held()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert not logger.isEnabledFor(logging.CRITICAL)
    assert opencv_log.getLogLevel() == opencv_log.LOG_LEVEL_SILENT
    second.__exit__(None, None, None)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert logger.isEnabledFor(logging.CRITICAL)
    assert opencv_log.getLogLevel() == level
    assert [*warnings.filters] == filters


def test_switches_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    strict = StrictDecoders()
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"), strict.held():
            int("no number")
        assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_warnings_of_others_are_still_seen() -> None:
    with pytest.warns(UserWarning, match="ours"), StrictDecoders().held():
        warnings.warn("ours", stacklevel=1)
