"""The YAML of a flow."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.errors import InputError
from search.config import load_sweep_config
from search.flow.config import load_flow_config
from tests.search.conftest import ROOT, SweepFiles


def write(folder: Path, text: str) -> Path:
    path = folder / "flow.yaml"
    path.write_text(text)
    return path


def test_paths_are_taken_against_the_yaml(tmp_path: Path) -> None:
    config = load_flow_config(write(tmp_path, "name: a\nprepare: p.yaml\nsweep: s/s.yaml\n"))
    assert (config.prepare, config.sweep) == (tmp_path / "p.yaml", tmp_path / "s" / "s.yaml")
    assert config.confirm is not None
    assert config.confirm.undecided == "stop"
    assert config.score is not None
    assert (config.score.split, config.score.iou) == ("test", 0.75)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\n", "key `sweep` is missing"),
        ("name: a\nsweep: s\nconfrim: null\n", "did you mean `confirm`"),
        ("name: a\nsweep: s\nprepare: p\ndata: d\n", "remove one of them"),
        ("name: ../a\nsweep: s\n", "key `name`"),
        ("name: a\nsweep: s\nfinal: {workers: 0}\n", r"key `final\.workers` \(=0\)"),
        ("name: a\nsweep: s\nconfirm: {undecided: perhaps}\n", r"confirm\.undecided"),
    ],
)
def test_a_wrong_one_is_refused_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_flow_config(write(tmp_path, text))


def test_its_changes_reach_the_sweep(files: SweepFiles, tmp_path: Path) -> None:
    changes = "{trials: 7, train.image_size: 96, scheduler: {type: none}}"
    config = load_flow_config(write(tmp_path, f"name: a\nsweep: {files.write(trials=3)}\nset: {changes}\n"))
    sweep = load_sweep_config(config.sweep, config.overrides(files.folder / "data.yaml"))
    assert (sweep.trials, sweep.settings().image_size, sweep.scheduler.type) == (7, 96, "none")
    assert Path(sweep.data) == files.folder / "data.yaml"


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "flow").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_flows_can_be_read(path: Path) -> None:
    config = load_flow_config(path)
    assert config.sweep.is_file()
    assert config.prepare is None or config.prepare.is_file()


def test_thresholds_are_chosen_by_what_is_scored(tmp_path: Path) -> None:
    def metric(text: str) -> str:
        return load_flow_config(write(tmp_path, f"name: a\nsweep: s\n{text}")).threshold_metric

    assert metric("") == "score75"
    assert metric("score: {iou: 0.5}\n") == "score50"
    assert metric("score: {iou: 0.6}\n") == "score75"
    assert metric("score: null\n") == "score75"
    assert metric("score: {iou: 0.5}\nfinal: {threshold_metric: f1}\n") == "f1"
