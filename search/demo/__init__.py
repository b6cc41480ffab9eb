"""The demo: the whole job on an embedded data set, in minutes on a CPU."""

from __future__ import annotations

from search.demo.run import run_demo

__all__ = ["run_demo"]
