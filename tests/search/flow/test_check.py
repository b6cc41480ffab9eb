"""What is refused before the first step, by the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from data_prep.errors import InputError
from search.flow.check import check_flow
from search.flow.config import load_flow_config
from search.flow.run import run_flow
from search.flow.step import Place
from tests.search.conftest import SweepFiles


def place(files: SweepFiles, sweep: dict[str, Any] | None = None, **flow: Any) -> Place:
    path = files.folder / "flow.yaml"
    path.write_text(yaml.safe_dump({"name": "f", "sweep": str(files.write(**(sweep or {}))), **flow}))
    return Place(load_flow_config(path), files.folder / "out")


def test_a_right_one_passes(files: SweepFiles) -> None:
    check_flow(place(files))
    check_flow(place(files, confirm={"metric": "map75", "seeds": 3}, final={"threshold_metric": "f1", "workers": 16}))


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ({"final": {"threshold_metric": "nonsense"}}, r"final\.threshold_metric: .*nonsense"),
        ({"final": {"workers": 17}}, r"final\.workers is 17 and train\.batch_size 16"),
        ({"score": {"split": "tset"}}, r"score\.split is 'tset'"),
        ({"confirm": {"metric": "nonsense"}}, r"confirm\.metric is 'nonsense': choose one of fitness"),
        ({"confirm": {"seeds": 4, "max_seeds": 2}}, "confirm: .*less than"),
    ],
)
def test_what_a_later_step_would_refuse_is_refused_first(files: SweepFiles, flow: dict[str, Any], said: str) -> None:
    here = place(files, **flow)
    with pytest.raises(InputError, match=said):
        run_flow(here.config, here.folder)
    assert not here.folder.exists()


def test_several_goals_are_refused(files: SweepFiles) -> None:
    goals = [{"metric": "map50_95", "mode": "max"}, {"metric": "weights_megabytes", "mode": "min"}]
    sweep = {"objectives": goals, "sampler": {"members": {"tpe": {}}}}
    with pytest.raises(InputError, match=r"sweep: a flow takes the one winner.*promote RUN --trial N"):
        check_flow(place(files, sweep))


def test_a_folder_that_cannot_be_made_is_named(files: SweepFiles, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file: cannot be made .* --out"):
        run_flow(place(files).config, tmp_path / "file")
