"""The yolov5 package's own functions read the ``evolve.csv`` that hypsweep writes, and hypsweep reads theirs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.known.evolve import METRICS, format_evolve, read_evolve
from tests.search.conftest import ROOT
from trainable.hyp import Hyp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCRIPT = """
import sys
from pathlib import Path
import matplotlib.pyplot
matplotlib.use("Agg")
import trainable.yolov5_parts
from yolov5.utils.general import print_mutation
from yolov5.utils.plots import plot_evolve
from tests.search.known.conftest import STOCK_KEYS, genes, results

plot_evolve(sys.argv[1] + "/several.csv")
matplotlib.pyplot.savefig = lambda *file, **options: None  # drawing takes seconds; once is enough
plot_evolve(sys.argv[1] + "/one.csv")
stock = Path(sys.argv[1]) / "stock"
stock.mkdir()
for fitness, lr0 in ((0.25, 0.02), (0.75, 0.03), (0.5, 0.04)):
    print_mutation(STOCK_KEYS, results(fitness, fitness), genes(lr0=lr0), stock, "")
"""


def test_plot_evolve_finds_the_best_row_and_print_mutation_is_read(tmp_path: Path) -> None:
    def measured(fitness: float) -> dict[str, float]:
        return {**dict.fromkeys(METRICS.values(), 0.1), "map50": fitness, "map50_95": fitness}

    # Digits that YOLOv5 would have rounded away decide which row is the best.
    values = [0.6123451, 0.6123452, 0.1, 0.61234515]
    rows = [(measured(value), Hyp(lr0=0.01 + 0.001 * index)) for index, value in enumerate(values)]
    (tmp_path / "several.csv").write_text(format_evolve(rows))
    (tmp_path / "one.csv").write_text(format_evolve(rows[:1]))
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert f"Best results from row 1 of {tmp_path / 'several.csv'}" in found.stdout
    assert "lr0: 0.011\n" in found.stdout
    assert (tmp_path / "several.png").stat().st_size > 0
    assert f"Best results from row 0 of {tmp_path / 'one.csv'}" in found.stdout

    source = read_evolve(tmp_path / "stock" / "evolve.csv")
    assert [(trial.value, trial.params["lr0"]) for trial in source.trials] == [(0.25, 0.02), (0.75, 0.03), (0.5, 0.04)]
