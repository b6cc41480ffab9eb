"""The table and the plot of ``docs/search-benchmark.md`` from the runs that ``run.py`` recorded.

Regrets are medians over seeds with 95 % bootstrap intervals of the median. "Epochs to reach" a peer is the first epoch
from which on the method's median regret is at most the peer's at its budget; its interval resamples the seeds (of both
in pairs). Prints the table in Markdown and one JSON line last.

Usage: python -m benchmarks.searchers.table RUNS.jsonl [--ours NAME] [--plot FILE.png]
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

GRID = np.arange(20, 1201, 20)
COLUMNS = (120, 240, 600, 1200)
RESAMPLES = 2000
Runs = dict[tuple[str, int, str], dict[int, np.ndarray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--ours", default="tpe + curve_gp")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    runs = load(arguments.runs)
    for start, slots in sorted({key[:2] for key in runs}):
        print(f"\nFrom the {start} hyp, slots: {slots}\n")
        print(table(runs, start, slots))
    aims = [
        aim(runs, arguments.ours, peer, start, slots)
        for start, slots in sorted({key[:2] for key in runs})
        for peer in ("classic", "ray_optuna_asha", "ray_optuna_asha_3_3", "optuna_tpe_hyperband")
        if (start, slots, peer) in runs and (start, slots, arguments.ours) in runs
    ]
    if arguments.plot:
        plot(runs, arguments.ours, arguments.plot)
    print(json.dumps({"benchmark": "searchers.table", "ours": arguments.ours, "epochs_to_reach": aims}))


def load(path: Path) -> Runs:
    """Regret on the grid of epochs, by start, slots and method, by seed; NaN beyond a run's budget."""
    runs: Runs = defaultdict(dict)
    for line in path.read_text().splitlines():
        row = json.loads(line)
        place = np.searchsorted(row["epochs"], GRID, side="right") - 1
        regrets = np.where(place >= 0, np.array(row["regrets"])[np.maximum(place, 0)], np.nan)
        regrets[row["budget"] < GRID] = np.nan
        key = (row["start"], row["slots"], row["method"])
        held = runs[key].get(row["seed"])
        runs[key][row["seed"]] = regrets if held is None else np.where(np.isnan(held), regrets, held)
    return runs


def table(runs: Runs, start: str, slots: int) -> str:
    rows = ["| method | seeds | " + " | ".join(f"{epochs} epochs" for epochs in COLUMNS) + " |"]
    rows.append("|---" * (len(COLUMNS) + 2) + "|")
    found = {
        method: np.array(list(by_seed.values())) for (s, n, method), by_seed in runs.items() if (s, n) == (start, slots)
    }
    for method in sorted(found, key=lambda name: np.nanmedian(found[name][:, GRID == 600])):
        cells = [interval(found[method][:, epochs == GRID][:, 0]) for epochs in COLUMNS]
        rows.append(f"| {method} | {len(found[method])} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def interval(values: np.ndarray) -> str:
    if np.isnan(values).any():
        return ""
    medians = np.median(values[draws(len(values))], axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return f"{np.median(values):.3f} ({low:.3f} to {high:.3f})"


def draws(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(n, size=(RESAMPLES, n))


def aim(runs: Runs, ours: str, peer: str, start: str, slots: int) -> dict[str, object]:
    """Epochs that ours needs for the peer's regret at 600 and 1200 epochs, and the share of the peer's epochs."""
    both = runs[(start, slots, ours)], runs[(start, slots, peer)]
    seeds = sorted(both[0].keys() & both[1].keys())
    mine, theirs = (np.array([table_[seed] for seed in seeds]) for table_ in both)
    found: dict[str, object] = {"start": start, "slots": slots, "peer": peer, "seeds": len(seeds)}
    for budget in (600, 1200):
        goals = theirs[:, budget == GRID][:, 0]
        if np.isnan(goals).any():
            continue
        sampled = [reach(mine[draw], goals[draw]) for draw in draws(len(seeds))]
        low, high = np.percentile(sampled, [2.5, 97.5])
        epochs = reach(mine, goals)
        found[f"regret_at_{budget}"] = round(float(np.median(goals)), 4)
        found[f"epochs_for_{budget}"] = epochs if np.isfinite(epochs) else None
        found[f"share_of_{budget}"] = [
            round(float(e) / budget, 2) if np.isfinite(e) else None for e in (epochs, low, high)
        ]
    return found


def reach(mine: np.ndarray, goals: np.ndarray) -> float:
    """The first epoch of the grid at which the median is at the goal and stays there; inf if it never is."""
    medians = np.median(mine, axis=0)
    good = np.isnan(medians) | (medians <= np.median(goals) + 1e-9)
    bad = np.flatnonzero(~good)
    first = 0 if not len(bad) else bad[-1] + 1
    return float(GRID[first]) if first < len(GRID) and not np.isnan(medians[first]) else float("inf")


def plot(runs: Runs, ours: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [
        ours,
        "tpe_pause",
        "optuna_tpe_hyperband",
        "ray_optuna_asha",
        "random",
        "classic",
        "population",
        "one_epoch_first",
    ]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axis, start in zip(axes, ("default", "poor"), strict=True):
        for number, method in enumerate(shown):
            by_seed = runs.get((start, 1, method))
            if not by_seed:
                continue
            values = np.array(list(by_seed.values()))
            samples = np.median(values[draws(len(values))[:500]], axis=1)
            low, high = np.percentile(samples, [2.5, 97.5], axis=0)
            line = axis.plot(
                GRID, np.median(values, axis=0), lw=2 if method == ours else 1, color=f"C{number}", label=method
            )
            axis.fill_between(GRID, low, high, color=line[0].get_color(), alpha=0.12, lw=0)
        axis.set(title=f"from the {start} hyp", xlabel="epochs trained (20 = one full training)", ylim=(0, 0.3))
    axes[0].set_ylabel("regret of the picked hyp")
    axes[1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
