"""What is said of a flow that is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from search.flow.run import FlowResult
from search.flow_display import summary_lines

ROW = {"trial": 2, "mean": 0.3, "gain": 0.1, "lower": 0.02, "upper": None}
RESULTS: dict[str, Any] = {
    "prepare": {"images": {"train": 4, "valid": 2}},
    "sweep": {"metric": "fitness", "states": {"COMPLETE": 3}, "best_trial": 2, "best": 0.25, "default": 0.125},
    "confirm": {"verdict": "promote", "trial": 2, "metric": "fitness", "seeds": 4, "rows": [{**ROW, "upper": 0.2}]},
    "final": {"trial": 2, "epochs": 8, "megabytes": 3.75, "test": None},
    "score": {"split": "test", "iou": 0.75, "map": 0.5, "defaults": {"map": 0.25}},
    "errors": {"page": "e.html", "missing_labels": 3, "kinds": {"missed": {"cost": 0.25}, "both": {"cost": 0.5}}},
    "report": {},
}


def lines(**changes: Any) -> list[str]:
    results = {**RESULTS, **changes}
    return list(summary_lines(FlowResult(Path("out"), {n: r for n, r in results.items() if r is not None}, ())))


def test_every_step_has_its_line() -> None:
    assert lines() == [
        "data:        train 4, valid 2",
        "sweep:       3 COMPLETE; best trial 2: 0.2500 fitness (default 0.1250)",
        "confirmed:   promote after 4 seeds: trial 2 gains +0.1000 (+0.0200 to +0.2000)",
        "final:       the hyp of trial 2, 8 epochs on full, 3.8 MB",
        "score:       mAP@0.75 0.5000 on test, 0.2500 at val's defaults",
        "errors:      both costs most, 0.5000 AP; 3 labels may be missing; see e.html",
        "weights:     out/sweep/promoted/weights.pt",
        "report:      out/sweep/report.html",
        "all figures: out/flow.json",
    ]


def test_what_was_not_done_or_not_found_is_said_or_left_out() -> None:
    found = lines(
        prepare=None,
        confirm={
            **RESULTS["confirm"],
            "verdict": "keep default",
            "trial": 0,
            "rows": [{**ROW, "trial": 0, "lower": None}],
        },
        final={**RESULTS["final"], "trial": 0},
        score={"split": "test", "map": None},
        errors={"page": None},
    )
    assert found[:4] == [
        "sweep:       3 COMPLETE; best trial 2: 0.2500 fitness (default 0.1250)",
        "confirmed:   keep default after 4 seeds",
        "final:       the default hyp, 8 epochs on full, 3.8 MB",
        "score:       none, there is no split `test`",
    ]
    assert found[4].startswith("weights:")
