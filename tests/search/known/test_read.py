from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from data_prep.errors import InputError
from search.known.read import read_known
from search.known.source import KnownSource
from tests.search.command_line import snapshot
from tests.search.conftest import SweepFiles, open_tiny
from tests.search.known.conftest import STOCK_KEYS, genes, results, stock_evolve, write_stock
from tests.search.test_results import add, finish_run
from trainable.hyp import Hyp, format_hyp


def finished(files: SweepFiles) -> SweepFiles:
    """A sweep of three trials: finished, stopped, failed."""
    changes = {"train": {"epochs": 2, "model": "yolov5n", "image_size": 320}}
    study, _ = open_tiny(files, **changes)
    add(study, TrialState.COMPLETE, [0.1, 0.25])
    add(study, TrialState.PRUNED, [0.5])
    add(study, TrialState.FAIL, [], reason="crashed")
    finish_run(files, study, **changes)
    return files


def stock_run(folder: Path) -> Path:
    """What a training of stock YOLOv5 leaves."""
    folder.mkdir()
    (folder / "hyp.yaml").write_text("lr0: 0.02\nbox: 0.03\n")
    keys = ("epoch", "train/box_loss", *STOCK_KEYS, "x/lr0")
    rows = [(0, 0.1, *results(0.1, 0.1), 0.01), (1, 0.1, *results(0.5, 0.25), 0.01)]
    lines = [",".join(f"{key:>20}" for key in keys)] + [",".join(f"{v:20.5g}" for v in row) for row in rows]
    (folder / "results.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_hyp_yaml_is_one_config_with_what_it_states(tmp_path: Path) -> None:
    (tmp_path / "hyp.yaml").write_text("# YOLOv5 by Ultralytics\nlr0: 0.02  # initial learning rate\nbox: 0.03\n")
    (trial,) = read_known(str(tmp_path / "hyp.yaml")).trials
    assert trial.params == {"lr0": 0.02, "box": 0.03}
    assert trial.value is None


def test_a_hyp_that_hypsweep_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "best_hyp.yaml").write_text(format_hyp(Hyp(lr0=0.5), "hypsweep: sweep tiny\nmetrics: map50 0.5"))
    assert read_known(str(tmp_path / "best_hyp.yaml")).trials[0].params["lr0"] == 0.5


@pytest.mark.parametrize("name", ["results.csv", "results.parquet"])
def test_the_tables_of_a_sweep_hold_what_was_searched(files: SweepFiles, name: str) -> None:
    finished(files)
    source = read_known(str(files.run / name))
    first, second = source.trials
    assert first.params == {"lr0": 0.01, "momentum": 0.937}
    assert (first.value, first.epochs, first.finished) == (0.25, 2, True)
    assert first.metrics["map50"] == 0.125
    assert (second.value, second.epochs, second.finished) == (0.5, 1, False)
    assert source.left_out == ("1 trials that failed or have no value",)
    assert source.identity is None


@pytest.mark.parametrize("how", ["folder", "journal", "journal#tiny"])
def test_a_study_knows_all_of_its_configs(files: SweepFiles, how: str) -> None:
    finished(files)
    before = snapshot(files.run)
    path = {"folder": "", "journal": "study.journal", "journal#tiny": "study.journal#tiny"}[how]
    source = read_known(str(files.run / path))
    first, second = source.trials
    assert first.params["image_size"] == 320
    assert first.params["box"] == 0.05
    assert first.params["momentum"] == 0.937
    assert first.curve == {1: 0.1, 2: 0.25}
    assert (second.value, second.epochs, second.finished) == (0.5, 1, False)
    assert source.identity is not None
    assert source.identity["metric"] == "fitness"
    assert snapshot(files.run) == before


@pytest.mark.timeout(60)
def test_a_study_behind_a_url_is_read_and_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    for name in ("pig", "cow"):
        study = optuna.create_study(storage=url, study_name=name, direction="minimize")
        distributions = {"lr0": FloatDistribution(0, 1)}
        study.add_trial(create_trial(params={"lr0": 0.5}, distributions=distributions, value=0.25))
        study.add_trial(create_trial(params={"lr0": 0.5}, distributions=distributions, state=TrialState.FAIL))
    before = snapshot(tmp_path)
    source = read_known(f"{url}#pig")
    assert [(t.params, t.value, t.label) for t in source.trials] == [({"lr0": 0.5}, 0.25, f"{url}#pig trial 0")]
    assert not source.maximize
    assert snapshot(tmp_path) == before
    with pytest.raises(InputError, match=r"2 studies .*name one"):
        read_known(url)
    with pytest.raises(InputError, match=r"no study `sheep`: it has (pig, cow|cow, pig)"):
        read_known(f"{url}#sheep")


def test_a_data_base_of_others_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("create table animals (name text)")
    other.close()
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="cannot be read as an Optuna study"):
        read_known(f"sqlite:///{tmp_path}/other.db#pig")
    with pytest.raises(InputError, match="there is no file"):
        read_known(f"sqlite:///{tmp_path}/none.db#pig")
    assert snapshot(tmp_path) == before


def test_a_training_of_yolov5_is_one_config_with_its_last_metrics(tmp_path: Path) -> None:
    folder = stock_run(tmp_path / "exp")
    for source in (read_known(str(folder)), read_known(str(folder / "results.csv"))):
        (trial,) = source.trials
        assert trial.params == {"lr0": 0.02, "box": 0.03}
        assert trial.value == pytest.approx(0.1 * 0.5 + 0.9 * 0.25)
        assert trial.epochs == 2
    (folder / "hyp.yaml").unlink()
    with pytest.raises(InputError, match=r"no hyp\.yaml beside it"):
        read_known(str(folder / "results.csv"))


def test_the_folder_of_an_evolution_is_read(tmp_path: Path) -> None:
    write_stock(tmp_path / "evolve.csv", (0.5, {"lr0": 0.02}))
    assert read_known(str(tmp_path)).trials[0].params == genes(lr0=0.02)


def test_names_in_korean_are_paths_like_others(tmp_path: Path) -> None:
    folder = tmp_path / "[라벨]돼지 #1"
    folder.mkdir()
    write_stock(folder / "진화#2.csv", (0.5, {"lr0": 0.02}))
    assert read_known(str(folder / "진화#2.csv")).trials[0].value == 0.5


def test_the_digest_is_of_what_is_known_not_of_where_it_lies(files: SweepFiles, tmp_path: Path) -> None:
    finished(files)
    shutil.copy(files.run / "results.csv", tmp_path / "copy.csv")
    here, there = read_known(str(files.run / "results.csv")), read_known(str(tmp_path / "copy.csv"))
    assert here.digest == there.digest != read_known(str(files.run)).digest


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("none.csv", None, "there is no file"),
        ("evolve.txt", "1 2 3", "of no kind that is known"),
        ("hyp.yaml", "lr00: 0.1\n", "did you mean `lr0`"),
        ("hyp.yaml", "{}\n", "states no hyperparameter"),
        ("hyp.yaml", "lr0: .nan\n", "finite number"),
        ("results.csv", "a,b\n1,2\n", "no column `number`"),
        ("results.csv", "number,state,value,epochs\n", "holds no config"),
        ("results.csv", "number,state,value,epochs\n0,COMPLETE,nan,3\n", "row 1 has nan under `value`"),
        ("results.csv", "number,state,value,epochs,params_lr0\n0,COMPLETE,0.5,3,nan\n", "lr0 is nan"),
        ("results.csv", "number,state,value,epochs,params_lr0\n0,COMPLETE,0.5,,1\n", "no number under `epochs`"),
        ("results.csv", "number,number,value,epochs\n", "two columns `number`"),
        ("results.parquet", "PAR1", "is no Parquet file"),
        ("study.journal", "{}\n", "cannot be read as an Optuna study"),
        ("study.journal", "", "holds 0 studies"),
        ("evolve.csv#tiny", None, "there is no file"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: str | None, pattern: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=pattern):
        read_known(str(tmp_path / name))


@pytest.mark.timeout(60)
def test_several_goals_have_no_order(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    optuna.create_study(storage=url, study_name="pareto", directions=["maximize", "minimize"])
    with pytest.raises(InputError, match="several goals"):
        read_known(url)


@pytest.mark.timeout(60)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    whole = {
        "evolve.csv": stock_evolve([(results(0.5, 0.25), genes()), (results(0.5, 0.5), genes(lr0=0.02))]),
        "results.csv": "number,state,value,epochs,params_lr0,metrics_map50\n0,COMPLETE,0.5,3,0.1,0.2\n1,FAIL,,0,0.2,\n",
        "hyp.yaml": "lr0: 0.02  # comment\nbox: 0.03\n",
        "study.journal": '{"op_code": 0, "worker_id": "1", "study_name": "pig", "directions": [2]}\n',
    }
    name = data.draw(st.sampled_from(sorted(whole)))
    content = bytearray(whole[name].encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    (tmp_path / name).write_bytes(content)
    found: KnownSource | InputError
    try:
        found = read_known(str(tmp_path / name))
    except InputError as error:
        found = error
    if isinstance(found, InputError):
        assert name.partition(".")[0] in str(found)
        assert str(found).isprintable()
    else:
        assert found.trials
