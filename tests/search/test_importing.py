"""What is known comes into a study once, whole, and with the right numbers."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from optuna.trial import TrialState

from data_prep.errors import InputError
from search.config import load_sweep_config
from search.config_files import kept_files
from search.drivers import driver
from search.importing import check_start_from, import_known, start_from
from search.known.config import KnownConfig, known_configs
from search.known.marks import ORIGIN, is_result
from search.known.report import ImportReport
from search.known.use import As
from search.options import Options
from search.results import best_trial, read_run, results_table
from search.space import load_space
from search.status import sweep_status
from search.study import SweepStudy
from search.sweep import resume_sweep, run_sweep
from tests.search.command_line import Cli, assert_refused, only_json
from tests.search.conftest import ROOT, SweepFiles, open_tiny
from tests.search.known.conftest import write_stock
from tests.search.quadratic_trainable import QuadraticTrainable
from tests.search.test_results import add, finish_run

TWO = {"epochs": 2, "model": "yolov5n"}
STOCK = ((0.5, {"lr0": 0.02}), (0.7, {"lr0": 0.03}), (0.6, {"lr0": 0.0301}), (0.4, {"lr0": 0.5}))


def sweep(files: SweepFiles, **changes: Any) -> SweepStudy:
    """A sweep of six trials, of which one has ended."""
    study, _ = open_tiny(files, **{"train": TWO, **changes})
    add(study, TrialState.COMPLETE, [0.1, 0.25])
    finish_run(files, study, **{"train": TWO, **changes})
    return study


def other_sweep(files: SweepFiles, name: str = "other", **changes: Any) -> SweepFiles:
    """A sweep on the same data: two trials that ended, one that was stopped."""
    folder = files.folder / name
    folder.mkdir()
    other = SweepFiles(folder)
    study, _ = open_tiny(other, **{"name": name, "train": TWO, "seed": 7, **changes})
    for value in (0.5, 0.75):
        add(study, TrialState.COMPLETE, [value / 2, value])
    add(study, TrialState.PRUNED, [0.9])
    finish_run(other, study, **{"name": name, "train": TWO, "seed": 7, **changes})
    return other


def bring(files: SweepFiles, *sources: object, **options: Any) -> ImportReport:
    values = {"top": None, "as_": As.ENQUEUE, "clip": False, **options}
    return import_known(files.run, known_configs(map(str, sources), **values))


def waiting(files: SweepFiles) -> list[dict[str, Any]]:
    trials = read_run(files.run)[1].get_trials(states=(TrialState.WAITING,))
    return [trial.system_attrs["fixed_params"] for trial in trials]


def reopened(files: SweepFiles, **changes: Any) -> SweepStudy:
    return open_tiny(files, new=False, **{"train": TWO, **changes})[0]


# --- tried anew -----------------------------------------------------------------------------------------------------


def test_the_best_wait_in_their_order_without_near_copies(files: SweepFiles) -> None:
    sweep(files)
    report = bring(files, write_stock(files.folder / "evolve.csv", *STOCK))
    assert [params["lr0"] for params in waiting(files)] == [0.03, 0.02, 0.5]
    (found,) = report.sources
    assert (found.known, found.trials, found.near) == (4, (1, 2, 3), 1)
    assert (report.waiting, report.lacking) == (3, 0)


def test_they_are_drawn_first_by_the_author_import_and_then_the_sampler_goes_on(files: SweepFiles) -> None:
    sweep(files)
    bring(files, write_stock(files.folder / "evolve.csv", *STOCK), top=1)
    study = reopened(files)
    assert study.started() == 1
    first, second = study.draw(), study.draw()
    assert first.params == {"lr0": 0.03, "momentum": 0.937}
    assert first.user_attrs["sampler"] == "import"
    assert first.user_attrs["source"].endswith("evolve.csv row 2")
    assert second.user_attrs["sampler"] == "random"
    assert study.started() == 3


def test_repeating_an_import_adds_nothing_and_a_larger_one_adds_the_rest(files: SweepFiles) -> None:
    sweep(files)
    path = write_stock(files.folder / "evolve.csv", *STOCK)
    bring(files, path, top=2)
    (again,) = bring(files, path, top=2).sources
    assert (again.trials, again.earlier) == ((1, 2), 2)
    (more,) = bring(files, path, top=3).sources
    assert (more.trials, more.earlier) == ((1, 2, 3), 2)
    assert len(waiting(files)) == 3


def test_what_the_study_has_is_not_tried_again(files: SweepFiles) -> None:
    sweep(files)
    for name in ("one.yaml", "two.yaml"):
        (files.folder / name).write_text("lr0: 0.01\n" if name == "one.yaml" else "lr0: 0.02\n")
    report = bring(files, files.folder / "one.yaml", files.folder / "two.yaml", files.folder / "two.yaml")
    assert [found.duplicates for found in report.sources] == [1, 0, 1]
    assert waiting(files) == [{"lr0": 0.02, "momentum": 0.937}]


def test_from_pig_to_cow_rank_counts_and_no_score_comes_along(files: SweepFiles) -> None:
    pig = other_sweep(files, "pig")
    (files.folder / "data.yaml").write_text("train: train\nval: val\nnames: [cow]\n")
    sweep(files)
    (found,) = bring(files, pig.run, top=2).sources
    best, _ = waiting(files)
    values = {trial.number: trial.params for trial in read_run(pig.run)[1].get_trials()}
    assert best == values[1]  # 0.75 after the last epoch; 0.9 was stopped early
    assert found.known == 3
    study = reopened(files)
    assert [t.number for t in study.trials() if t.state == TrialState.COMPLETE] == [0]


def test_a_hyp_under_another_name_in_another_space_is_the_same_hyp(files: SweepFiles) -> None:
    sweep(files)
    folder = files.folder / "other"
    folder.mkdir()
    other = SweepFiles(folder)
    pace = {"name": "lr0", "low": 0.011, "high": 0.9, "when": {"optimizer": "SGD"}, "default": 0.02}
    space = {"parameters": {"optimizer": {"choices": ["SGD", "AdamW"]}, "pace": pace}}
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    study, _ = open_tiny(other, name="other", train=TWO)
    add(study, TrialState.COMPLETE, [0.5, 0.75])
    finish_run(other, study, name="other", train=TWO)
    bring(files, other.run)
    (params,) = waiting(files)
    assert params["lr0"] == 0.02


def test_what_lies_outside_is_refused_and_nothing_is_added(files: SweepFiles) -> None:
    sweep(files)
    good = write_stock(files.folder / "good.csv", *STOCK)
    bad = write_stock(files.folder / "bad.csv", (0.5, {"lr0": 2.0}))
    with pytest.raises(InputError, match=r"bad\.csv row 1: lr0 is 2, outside 0\.0001 to 1"):
        bring(files, good, bad)
    assert waiting(files) == []
    (found,) = bring(files, bad, clip=True).sources
    assert waiting(files) == [{"lr0": 1.0, "momentum": 0.937}]
    assert found.clipped == (f"{bad} row 1: lr0 2 -> 1",)


def test_what_is_dropped_and_what_is_filled_in_is_named(files: SweepFiles) -> None:
    sweep(files)
    (files.folder / "hyp.yaml").write_text("lr0: 0.02\nbox: 0.09\ncls: 0.5\n")
    (found,) = bring(files, files.folder / "hyp.yaml").sources
    assert found.other == ("box",)
    assert found.filled == ("momentum",)


def test_more_than_planned_says_what_starts_them(files: SweepFiles) -> None:
    sweep(files, trials=2)
    report = bring(files, write_stock(files.folder / "evolve.csv", *STOCK))
    assert (report.waiting, report.lacking) == (3, 2)
    assert report.next_command == f"hypsweep resume {files.run} --trials 2"
    assert sweep_status(files.run).waiting == 3
    assert not sweep_status(files.run).finished


# --- as results -----------------------------------------------------------------------------------------------------


def test_results_of_the_same_data_stand_beside_the_own_and_are_not_counted_as_started(files: SweepFiles) -> None:
    other = other_sweep(files)
    (other.folder / "data.yaml").write_bytes(files.data.read_bytes())
    sweep(files)
    report = bring(files, other.run, as_=As.RESULTS)
    study = reopened(files)
    taken = [trial for trial in study.trials() if is_result(trial)]
    assert [trial.value for trial in taken] == [0.75, 0.5]
    assert taken[0].intermediate_values == {1: 0.375, 2: 0.75}
    assert study.started() == 1
    assert report.sources[0].left_out == ("1 trials that did not run to their last epoch",)
    best = best_trial(study.study)
    assert best is not None
    assert (best.trial.number, best.value, best.epoch, best.default_value) == (1, 0.75, 2, 0.25)
    status = sweep_status(files.run)
    assert status.states == {"COMPLETE": 1}
    assert (status.imported, status.epochs_run, status.epochs_repeated) == (2, 2, 0)
    assert results_table(study.study)["source"].notna().tolist() == [False, True, True]


def test_results_are_imported_once_from_wherever_they_are_read(files: SweepFiles) -> None:
    other = other_sweep(files)
    sweep(files)
    bring(files, other.run, as_=As.RESULTS)
    bring(files, other.run, as_=As.RESULTS)
    bring(files, other.run / "study.journal", as_=As.RESULTS)
    assert len(results_table(read_run(files.run)[1])) == 3


def test_a_result_without_its_curve_has_a_value_all_the_same(files: SweepFiles) -> None:
    other = other_sweep(files)
    foreign = open_tiny(other, new=False, name="other", train=TWO, seed=7)[0]
    other_trial = foreign.draw()
    foreign.study.tell(other_trial.number, 0.8)  # as a study looks whose values were added by hand
    sweep(files)
    bring(files, other.run, as_=As.RESULTS)
    study = read_run(files.run)[1]
    best = best_trial(study)
    assert best is not None
    assert (best.value, best.epoch) == (0.8, 2)
    row = results_table(study).set_index("number").loc[best.trial.number]
    assert (row["value"], row["epochs"], row["epochs_run"]) == (0.8, 2, 0)
    assert pd.isna(row["best_value"])


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (r"epochs \(3, here 2\)", {"train": {**TWO, "epochs": 3}}),
        (r"metric \(map50, here fitness\)", {"metric": "map50"}),
        (r"train\.nominal_batch_size|nominal_batch_size 32", {"train": {**TWO, "nominal_batch_size": 32}}),
        (r"train\.seed \(5, here 0\)", {"train": {**TWO, "seed": 5}}),
        (r"model yolov5s, which is not searched", {"train": {**TWO, "model": "yolov5s"}}),
    ],
)
def test_results_of_something_else_are_refused_by_name(files: SweepFiles, part: str, changes: dict[str, Any]) -> None:
    other = other_sweep(files, **changes)
    sweep(files)
    with pytest.raises(InputError, match=part):
        bring(files, other.run, as_=As.RESULTS)
    assert len(reopened(files).trials()) == 1


def test_results_of_other_data_are_refused(files: SweepFiles) -> None:
    other = other_sweep(files)
    files.data.write_text("train: train\nval: val\nnames: [sheep]\n")
    sweep(files)
    with pytest.raises(InputError, match="results are of another data; import it without"):
        bring(files, other.run, as_=As.RESULTS)


def test_results_of_an_unknown_origin_are_refused(files: SweepFiles) -> None:
    sweep(files)
    for source in (write_stock(files.folder / "evolve.csv", *STOCK), other_sweep(files).run / "results.csv"):
        with pytest.raises(InputError, match="does not say on which data"):
            bring(files, source, as_=As.RESULTS)


def test_a_sweep_is_not_imported_into_itself(files: SweepFiles) -> None:
    sweep(files)
    with pytest.raises(InputError, match="is this sweep itself"):
        bring(files, files.run)


# --- cut off, at once, and from the YAML ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(90)
@pytest.mark.parametrize("after", [1, 2, 0])
def test_an_import_that_was_killed_goes_on_where_it_was(files: SweepFiles, after: int) -> None:
    sweep(files)
    path = write_stock(files.folder / "evolve.csv", *STOCK)
    command = [sys.executable, "-m", "tests.search.importing_killer", str(files.run), str(path), str(after)]
    killed = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(waiting(files)) == (after or 3)
    (found,) = bring(files, path).sources
    assert [params["lr0"] for params in waiting(files)] == [0.03, 0.02, 0.5]
    assert (found.trials, found.earlier) == ((1, 2, 3), after or 3)


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_two_imports_at_once_add_each_config_once(files: SweepFiles) -> None:
    sweep(files)
    path = write_stock(files.folder / "evolve.csv", *STOCK)
    command = [sys.executable, "-m", "search.cli", "import", str(files.run), str(path)]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    ended = [(each.communicate()[1], each.returncode) for each in both]
    assert {code for _, code in ended} <= {0, 2}
    assert 0 in {code for _, code in ended}, ended
    assert all(b"in use" in err for err, code in ended if code == 2)
    assert len(waiting(files)) == 3


def test_a_folder_in_use_is_refused(files: SweepFiles) -> None:
    sweep(files)
    path = write_stock(files.folder / "evolve.csv", *STOCK)
    with driver(files.run), pytest.raises(InputError, match="is in use"):
        bring(files, path)


def test_the_yaml_names_what_a_sweep_starts_from(files: SweepFiles) -> None:
    write_stock(files.folder / "evolve.csv", *STOCK)
    (files.folder / "hyp.yaml").write_text("lr0: 0.04\n")
    config = files.config(start_from=["hyp.yaml", {"source": "evolve.csv", "top": 1, "as": "enqueue"}])
    assert [each.source for each in config.start_from] == [
        str(files.folder / "hyp.yaml"),
        str(files.folder / "evolve.csv"),
    ]
    study, _ = open_tiny(files)
    space = load_space(config.space)
    check_start_from(config, space)
    assert [found.trials for found in start_from(study, config, space)] == [(1,), (2,)]
    assert [study.draw().params["lr0"] for _ in range(3)] == [0.01, 0.04, 0.03]
    (files.folder / "evolve.csv").unlink()
    assert start_from(study, config, space) == ()  # read once; the file may be gone


def test_the_resolved_yaml_says_the_same(files: SweepFiles) -> None:
    config = files.config(start_from=["a.yaml", {"source": "sqlite:////x.db#pig", "as": "results"}])
    folder = files.folder / "copy"
    folder.mkdir()
    for name, text in kept_files(config).items():
        (folder / name).write_text(text)
    assert load_sweep_config(folder / "sweep.yaml").start_from == config.start_from
    assert "start_from" not in kept_files(files.config())["sweep.yaml"]


@pytest.mark.parametrize(
    ("entry", "pattern"),
    [
        ({"source": "x.csv", "top": 0}, "start_from.0.top"),
        ({"source": "x.csv", "as": "trials"}, "enqueue"),
        ({"source": "x.csv", "as": "results", "clip": True}, "leave one of them out"),
        ({"from": "x.csv"}, "source|from"),
        (3, "start_from.0"),
    ],
)
def test_a_wrong_entry_is_named(files: SweepFiles, entry: object, pattern: str) -> None:
    with pytest.raises(InputError, match=pattern):
        files.config(start_from=[entry])


def test_the_words_of_the_yaml_and_of_python_are_both_taken() -> None:
    assert KnownConfig.model_validate({"source": "sqlite:///x", "as": "results"}) == KnownConfig(
        source="sqlite:///x", as_=As.RESULTS
    )


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.timeout(60)
def test_the_command_says_what_came_in_and_what_comes_next(files: SweepFiles, cli: Cli) -> None:
    sweep(files, trials=2)
    path = write_stock(files.folder / "돼지.csv", *STOCK)
    found = cli("import", files.run, path, "--top", "2")
    assert found.code == 0, found.err
    assert f"{path}: 2 of 4 configs, waiting to be tried (trials 1, 2)" in found.out
    assert f"hypsweep resume {files.run} --trials 1" in found.out
    told = only_json(cli("import", files.run, path, "--json").out)
    assert (told["waiting"], told["lacking"]) == (3, 2)
    assert told["sources"][0]["trials"] == [1, 2, 3]
    assert told["sources"][0]["as"] == "enqueue"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["run"], "missing argument 'FILE...'"),
        (["run", "none.csv"], r"there is no file .*none\.csv"),
        (["nowhere", "evolve.csv"], r"holds no sweep\.yaml"),
        (["run", "evolve.csv", "--as", "trials"], "'trials' is not one of"),
        (["run", "evolve.csv", "--as", "results", "--clip"], "leave one of them out"),
        (["run", "evolve.csv", "--as", "results"], "does not say on which data"),
    ],
)
def test_wrong_imports_are_one_sentence(files: SweepFiles, cli: Cli, arguments: list[str], pattern: str) -> None:
    sweep(files)
    write_stock(files.folder / "evolve.csv", *STOCK)
    assert_refused(cli("import", *arguments), pattern)
    assert waiting(files) == []


# --- a whole sweep --------------------------------------------------------------------------------------------------


class MeasuredTrainable(QuadraticTrainable):
    """The quadratic with all that YOLOv5's evolution writes down."""

    def step(self) -> dict[str, Any]:
        result = super().step()
        maps = {"map50": result["fitness"], "map50_95": result["fitness"], "precision": 0.5, "recall": 0.5}
        return {**result, **maps, "val_obj_loss": 0.1, "val_cls_loss": 0.1}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_sweep_tries_what_is_known_and_its_evolve_csv_starts_the_next(
    files: SweepFiles, tmp_path: Path, local_ray: None
) -> None:
    options = Options(trainable=MeasuredTrainable)
    write_stock(files.folder / "evolve.csv", (0.5, {"momentum": 0.8}), (0.4, {"momentum": 0.2}))
    changes = {"train": TWO, "scheduler": {"type": "none"}, "trials": 4, "max_concurrent": 1}
    result = run_sweep(files.config(**changes, start_from=["evolve.csv"]), files.run, options)
    authors = [t.user_attrs["sampler"] for t in read_run(files.run)[1].get_trials()]
    assert authors == ["default", "import", "import", "random"]
    assert result.states == {"COMPLETE": 4}
    assert result.best is not None
    assert result.best.trial.number == 1

    (files.folder / "hyp.yaml").write_text("momentum: 0.79\n")
    report = bring(files, files.folder / "hyp.yaml")
    assert report.lacking == 1
    assert resume_sweep(files.run, options=options).states == {"COMPLETE": 4}  # all that were planned
    assert resume_sweep(files.run, trials=2, options=options).states == {"COMPLETE": 6}
    trials = read_run(files.run)[1].get_trials()
    assert [t.params["momentum"] for t in trials][4] == 0.79
    assert all(t.state == TrialState.COMPLETE for t in trials)

    (tmp_path / "next").mkdir()
    following = SweepFiles(tmp_path / "next")
    following.write(**changes)
    values = yaml.safe_load((following.folder / "sweep.yaml").read_text())
    values["start_from"] = [
        {"source": str(files.run / "evolve.csv"), "top": 1},
        {"source": str(files.run), "as": "results"},
    ]
    (following.folder / "sweep.yaml").write_text(yaml.safe_dump(values))
    ended = run_sweep(load_sweep_config(following.folder / "sweep.yaml"), following.run, options)
    assert ended.states == {"COMPLETE": 4}
    trials = read_run(following.run)[1].get_trials()
    assert trials[1].params["momentum"] == 0.8
    assert sum(is_result(t) for t in trials) == 6
    assert {t.user_attrs[ORIGIN]["as"] for t in trials if ORIGIN in t.user_attrs} == {"enqueue", "results"}
