"""Draws a herd in the format of the AI Hub archives: the embedded data set of the demo and of the tests."""

from __future__ import annotations

from data_prep.synthetic.archives import draw_herd

__all__ = ["draw_herd"]
