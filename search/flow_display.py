"""What the command line shows of a flow that is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from search.data_display import picture_progress
from search.display import final_epochs, final_start, say, sweep_options
from search.flow.run import FlowResult
from search.flow.step import Watch
from search.samplers.keys import START


@contextmanager
def flow_watch(console: Console, address: str | None) -> Iterator[Watch]:
    """How a flow runs that shows itself on a console."""
    with picture_progress(console) as progress:
        yield Watch(
            options=sweep_options(console, address),
            progress=progress,
            on_start=final_start(console),
            on_epoch=final_epochs(console),
        )


def flow_summary(console: Console, found: FlowResult) -> None:
    """A line for each thing that the flow found, and where what one takes away lies."""
    for line in summary_lines(found):
        say(console, line)


def summary_lines(found: FlowResult) -> Iterator[str]:
    """The same as text."""
    results = found.results
    if "prepare" in results:
        images = results["prepare"]["images"]
        yield "data:        " + ", ".join(f"{name} {count}" for name, count in images.items())
    yield from _sweep(results["sweep"])
    if "confirm" in results:
        yield _confirmed(results["confirm"])
    final = results["final"]
    hyp = "the default hyp" if final["trial"] == START else f"the hyp of trial {final['trial']}"
    yield f"final:       {hyp}, {final['epochs']} epochs on full, {final['megabytes']:.1f} MB"
    if "score" in results:
        yield from _score(results["score"])
    if results.get("errors", {}).get("page"):
        yield _errors(results["errors"])
    run_dir = found.folder / "sweep"
    yield f"weights:     {run_dir / 'promoted' / 'weights.pt'}"
    yield f"report:      {run_dir / 'report.html'}"
    yield f"all figures: {found.folder / 'flow.json'}"


def _sweep(swept: Mapping[str, Any]) -> Iterator[str]:
    states = ", ".join(f"{count} {state}" for state, count in swept["states"].items())
    best = f"; best trial {swept['best_trial']}: {swept['best']:.4f}" if "best_trial" in swept else ""
    default = f" (default {swept['default']:.4f})" if swept.get("default") is not None else ""
    yield f"sweep:       {states}{best} {swept['metric']}{default}" if best else f"sweep:       {states}"


def _confirmed(found: Mapping[str, Any]) -> str:
    line = f"confirmed:   {found['verdict']} after {found['seeds']} seeds"
    row = next((row for row in found["rows"] if row["trial"] == found["trial"]), None)
    if row is None or row["lower"] is None:
        return line
    return f"{line}: trial {row['trial']} gains {row['gain']:+.4f} ({row['lower']:+.4f} to {row['upper']:+.4f})"


def _score(found: Mapping[str, Any]) -> Iterator[str]:
    if found["map"] is None:
        yield f"score:       none, there is no split `{found['split']}`"
        return
    beside = f", {found['defaults']['map']:.4f} at val's defaults" if found["defaults"] else ""
    yield f"score:       mAP@{found['iou']:g} {found['map']:.4f} on {found['split']}{beside}"


def _errors(found: Mapping[str, Any]) -> str:
    worst = max(found["kinds"], key=lambda kind: found["kinds"][kind]["cost"])
    cost = found["kinds"][worst]["cost"]
    missing = f"{found['missing_labels']} labels may be missing"
    return f"errors:      {worst} costs most, {cost:.4f} AP; {missing}; see {found['page']}"
