from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams import metadata

from search.tensorboard import TensorBoardCallback, last_step, tag

CONFIG = {
    "trial_number": 3,
    "hyp": {"lr0": 0.02, "mosaic": 1.0},
    "train": {"optimizer": "SGD", "epochs": 9, "weights": None},
    "checkpoint": None,
}
TRIAL: Any = SimpleNamespace(config=CONFIG, last_result={})
SEARCHED = ("lr0", "mosaic", "optimizer")


def report(board: TensorBoardCallback, epoch: int, fitness: float) -> None:
    result = {"epoch": epoch, "fitness": fitness, "val_box_loss": 0.5, "per_class": {"cow": {"map50": 0.3}}, "pid": 7}
    board.on_trial_result(0, [], TRIAL, result)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}, purge_orphaned_data=False).Reload()
    return {name: [(e.step, round(e.value, 4)) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_every_epoch_has_its_scalars(tmp_path: Path) -> None:
    board = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    board.on_trial_start(0, [], TRIAL)
    report(board, 1, 0.25)
    report(board, 2, 0.5)
    found = scalars(tmp_path / "trial_00003")  # before it is closed: a kill loses nothing
    assert found == {
        "metrics/fitness": [(1, 0.25), (2, 0.5)],
        "val/box_loss": [(1, 0.5), (2, 0.5)],
        "per_class/cow/map50": [(1, 0.3), (2, 0.3)],
    }


def test_a_resumed_trial_does_not_double_its_points(tmp_path: Path) -> None:
    first = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    first.on_trial_start(0, [], TRIAL)
    report(first, 1, 0.25)
    report(first, 2, 0.5)
    (file,) = (tmp_path / "trial_00003").iterdir()
    with file.open("ab") as stream:
        stream.write(b"\x30\x00\x00\x00half a record")  # a kill in mid-write
    second = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    second.on_trial_start(0, [], TRIAL)
    report(second, 2, 0.5)
    report(second, 3, 0.75)
    second.on_trial_start(0, [], TRIAL)  # crashed, started again by Ray
    report(second, 3, 0.75)
    report(second, 4, 0.8)
    second.on_trial_complete(0, [], TRIAL)
    assert scalars(tmp_path / "trial_00003")["metrics/fitness"] == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 0.8)]


def test_the_hparams_tab_gets_hyps_and_the_metric(tmp_path: Path) -> None:
    board = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    board.on_trial_start(0, [], TRIAL)
    report(board, 1, 0.25)
    board.on_trial_complete(0, [], TRIAL)
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(tmp_path))
    multiplexer.Reload()
    contents = multiplexer.PluginRunToTagToContent(metadata.PLUGIN_NAME)["trial_00003"]
    start = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["lr0"].number_value == 0.02
    assert start.hparams["optimizer"].string_value == "SGD"
    experiment = metadata.parse_experiment_plugin_data(contents[metadata.EXPERIMENT_TAG])
    shown = [info.name.tag for info in experiment.metric_infos]
    assert shown[0] == "metrics/fitness"
    assert shown[0] in scalars(tmp_path / "trial_00003")  # the tab looks the value up under this very tag
    assert metadata.SESSION_END_INFO_TAG in contents


def test_an_interrupted_trial_is_not_marked_as_ended(tmp_path: Path) -> None:
    board = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    board.on_trial_start(0, [], TRIAL)
    board.on_experiment_end([])
    events = EventAccumulator(str(tmp_path / "trial_00003")).Reload()
    contents = events.PluginTagToContent(metadata.PLUGIN_NAME)
    assert metadata.SESSION_START_INFO_TAG in contents
    assert metadata.SESSION_END_INFO_TAG not in contents


def test_an_empty_folder_has_no_step(tmp_path: Path) -> None:
    assert last_step(tmp_path) == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("map50", "metrics/map50"),
        ("train_box_loss", "train/box_loss"),
        ("lr/0", "lr/0"),
        ("train", "metrics/train"),
        ("batch_size", "run/batch_size"),
        ("gpu_memory_peak", "run/gpu_memory_peak"),
    ],
)
def test_tags_are_grouped(name: str, expected: str) -> None:
    assert tag(name) == expected


@pytest.mark.parametrize(("last_result", "status"), [({}, 1), ({"failure": "diverged"}, 2)])
def test_hparams_say_whether_a_trial_failed(tmp_path: Path, last_result: dict[str, Any], status: int) -> None:
    board = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    trial: Any = SimpleNamespace(config=CONFIG, last_result=last_result)
    board.on_trial_start(0, [], trial)
    board.on_trial_complete(0, [], trial)

    events = EventAccumulator(str(tmp_path / "trial_00003")).Reload()
    content = events.summary_metadata["_hparams_/session_end_info"].plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(content).status == status


def test_hparams_show_what_is_searched_and_nothing_else(tmp_path: Path) -> None:
    board = TensorBoardCallback(tmp_path, "fitness", ("lr0", "optimizer"))
    board.on_trial_start(0, [], TRIAL)

    events = EventAccumulator(str(tmp_path / "trial_00003")).Reload()
    content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    assert set(metadata.parse_session_start_info_plugin_data(content).hparams) == {"lr0", "optimizer"}


def test_a_trial_that_waits_for_its_data_set_has_not_ended(tmp_path: Path) -> None:
    board = TensorBoardCallback(tmp_path, "fitness", SEARCHED)
    trial: Any = SimpleNamespace(config=CONFIG, last_result={"failure": "images are gone", "failure_kind": "data"})
    board.on_trial_start(0, [], trial)
    board.on_trial_complete(0, [], trial)
    events = EventAccumulator(str(tmp_path / "trial_00003")).Reload()
    assert metadata.SESSION_END_INFO_TAG not in events.PluginTagToContent(metadata.PLUGIN_NAME)
