from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.known.evolve import METRICS, evolve_rows, format_evolve, read_evolve
from search.space import load_space
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.known.conftest import STOCK_KEYS, genes, results, stock_evolve, write_stock
from tests.search.test_results import add, finish_run
from trainable.hyp import Hyp

MEASURED = dict.fromkeys(METRICS.values(), 0.25)
numbers = st.floats(min_value=0, max_value=1e9, allow_nan=False, allow_infinity=False)


@pytest.mark.timeout(60)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(
            st.fixed_dictionaries(dict.fromkeys(METRICS.values(), numbers)),
            st.fixed_dictionaries(dict.fromkeys(Hyp.names(), numbers)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_is_read_back_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[dict[str, float], dict[str, float]]]
) -> None:
    path = tmp_path_factory.mktemp("evolve") / "evolve.csv"
    path.write_text(format_evolve([(metrics, Hyp(**hyp)) for metrics, hyp in rows]))
    read = read_evolve(path).trials
    assert [dict(trial.params) for trial in read] == [hyp for _, hyp in rows]
    for trial, (metrics, _) in zip(read, rows, strict=True):
        assert {name: trial.metrics[name] for name in METRICS.values()} == metrics


def test_the_head_is_that_of_yolov5_to_the_letter() -> None:
    ours = format_evolve([(MEASURED, Hyp())])
    stock = stock_evolve([(tuple(MEASURED.values()), genes())])
    assert ours.splitlines()[0] == stock.splitlines()[0]
    assert ours == stock  # so few digits, that YOLOv5 keeps them all


def test_yolov5_finds_its_genes_by_their_place(tmp_path: Path) -> None:
    hyps = [Hyp(lr0=0.02, anchors=4.0), Hyp(copy_paste=0.125)]
    path = tmp_path / "evolve.csv"
    path.write_text(format_evolve([(MEASURED, hyp) for hyp in hyps]))
    x = np.loadtxt(path, ndmin=2, delimiter=",", skiprows=1)  # as `yolov5 train --evolve` goes on with a file
    keys = list(genes())
    assert x.shape == (2, 7 + len(keys))
    assert np.isfinite(x).all()
    assert dict(zip(keys, x[0, 7:], strict=True)) == genes(lr0=0.02, anchors=4.0)
    assert dict(zip(keys, x[1, 7:], strict=True)) == genes(copy_paste=0.125)


@pytest.mark.parametrize("width", [1, 12, 20, 40])
def test_stock_files_are_read_whatever_their_padding(tmp_path: Path, width: int) -> None:
    path = write_stock(tmp_path / "evolve.csv", (0.5, {"lr0": 0.02}), (0.75, {"box": 0.03}), width=width)
    first, second = read_evolve(path).trials
    assert first.params == genes(lr0=0.02)
    assert second.params == genes(box=0.03)
    assert (first.value, second.value) == (0.5, 0.75)
    assert second.metrics["map50_95"] == 0.75
    assert first.epochs is None


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t + "\n\n"])
def test_other_editors_do_no_harm(tmp_path: Path, change: object) -> None:
    path = tmp_path / "돼지 evolve.csv"
    text = stock_evolve([(results(0.5, 0.25), genes(lr0=0.02))])
    path.write_bytes(change(text).encode("utf-8"))  # type: ignore[operator]
    (trial,) = read_evolve(path).trials
    assert trial.params == genes(lr0=0.02)


def test_a_diverged_row_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "evolve.csv"
    rows = [(results(float("nan"), 0.2), genes()), (results(0.5, 0.5), genes(lr0=0.02))]
    path.write_text(stock_evolve(rows))
    source = read_evolve(path)
    assert [trial.label for trial in source.trials] == [f"{path} row 2"]
    assert "1 rows" in source.left_out[0]


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda t: t.replace("   lr0,", "momentum,", 1), "two columns `momentum`"),
        (lambda t: t.replace("   lr0,", "  lr99,", 1), "`lr99` is no hyp"),
        (lambda t: t.replace("0.937", "nan", 1), "row 1 has nan under `momentum`"),
        (lambda t: t.replace("0.937", "1e999", 1), "row 1 has inf under `momentum`"),
        (lambda t: t.replace("0.937", "many", 1), "'many' under `momentum`, which is no number"),
        (lambda t: t.rsplit(",", 1)[0] + "\n", "row 1 has 35 cells under 36 columns"),
        (lambda t: t.replace("metrics/recall", "recall", 1), "no column `metrics/recall`"),
        (lambda t: t.replace("0.937", '"0.937', 1), "no number"),
        (lambda t: "", "is empty"),
        (lambda t: t.replace("0.937", "0\0", 1), "no CSV|no number"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: object, pattern: str) -> None:
    path = tmp_path / "evolve.csv"
    path.write_text(damage(stock_evolve([(results(0.5, 0.25), genes())])))  # type: ignore[operator]
    with pytest.raises(InputError, match=pattern):
        read_evolve(path)


def test_only_trials_of_equal_standing_are_written(files: SweepFiles) -> None:
    study, _ = open_tiny(files, train={"epochs": 2, "model": "yolov5n"})
    add(study, TrialState.COMPLETE, [0.1, 0.2], measured=MEASURED)
    add(study, TrialState.PRUNED, [0.9], measured=MEASURED)
    add(study, TrialState.FAIL, [0.9, 0.9], measured=MEASURED)
    add(study, TrialState.COMPLETE, [0.1, 0.2])  # its trainable does not report all seven
    add(study, TrialState.COMPLETE, [0.3, 0.4], measured={**MEASURED, "recall": float("nan")})
    config = files.config(train={"epochs": 2, "model": "yolov5n"})
    rows = evolve_rows(study.study, config, load_space(config.space))
    assert [hyp for _, hyp in rows] == [Hyp(**study.trial(0).params)]


def test_searched_and_fixed_hyps_stand_there(files: SweepFiles) -> None:
    (files.folder / "hyp.yaml").write_text("box: 0.03\nlr0: 0.02\n")
    study, _ = open_tiny(files, hyp="hyp.yaml")
    add(study, TrialState.COMPLETE, [0.1], measured=MEASURED)
    finish_run(files, study, hyp="hyp.yaml")
    (trial,) = read_evolve(files.run / "evolve.csv").trials
    assert trial.params == genes(box=0.03, lr0=0.02)


def test_without_a_row_there_is_no_file(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    add(study, TrialState.PRUNED, [0.1], measured=MEASURED)
    finish_run(files, study)
    assert not (files.run / "evolve.csv").exists()


def test_the_names_are_those_that_the_tests_know() -> None:
    assert tuple(METRICS) == STOCK_KEYS
