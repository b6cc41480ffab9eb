"""A sweep that goes on in a wider space."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from optuna.trial import TrialState

from data_prep.errors import InputError
from search import widening
from search.assembly import Sweep
from search.config import load_sweep_config
from search.config_files import kept_files
from search.drivers import Driver, driver
from search.keys import WIDENED
from search.space import Space, load_space
from search.study import SweepStudy
from search.sweep import resume_sweep
from search.widening import compare, widen
from tests.search.command_line import Cli
from tests.search.conftest import SweepFiles

OLD: dict[str, Any] = {
    "lr0": {"low": 0.009, "high": 0.011, "log": True},
    "momentum": {"low": 0.9, "high": 0.95},
    "anchors": {"type": "int", "low": 3, "high": 4, "default": 3},
    "optimizer": {"choices": ["SGD", "AdamW"], "default": "SGD"},
    "weight_decay": {"low": 0.0, "high": 0.1, "when": {"optimizer": "SGD"}},
    "fliplr": {"value": 0.5},
}
WIDER = OLD | {
    "lr0": {"low": 0.0001, "high": 0.1, "log": True},
    "momentum": {"low": 0.1, "high": 0.98},
    "anchors": {"type": "int", "low": 2, "high": 9, "default": 3},
}


def put(path: Path, parameters: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump({"parameters": parameters}, sort_keys=False))
    return path


@contextmanager
def at_work(files: SweepFiles, *, new: bool = False) -> Iterator[tuple[Sweep, SweepStudy, Driver]]:
    with driver(files.run) as me:
        sweep = Sweep(load_sweep_config(files.run / "sweep.yaml"), files.run)
        yield sweep, sweep.open(me, new=new), me


def begin(files: SweepFiles, **changes: Any) -> None:
    """A sweep whose folder has its files, and no study yet."""
    put(files.folder / "space.yaml", OLD)
    files.run.mkdir()
    for name, text in kept_files(files.config(**changes)).items():
        (files.run / name).write_text(text)


def train(study: SweepStudy, trials: int) -> list[dict[str, Any]]:
    """Parameters of so many new trials; the more momentum the better."""
    drawn = [study.draw() for _ in range(trials)]
    for trial in drawn:
        study.report(trial.number, 9, trial.params["momentum"])
        study.finish(trial.number, TrialState.COMPLETE, trial.params["momentum"])
    return [trial.params for trial in drawn]


def widened(files: SweepFiles, parameters: dict[str, Any] = WIDER) -> tuple[str, ...]:
    with at_work(files) as (sweep, study, me):
        return widen(sweep, study, me, put(files.folder / "wider.yaml", parameters))


@pytest.mark.parametrize("member", ["random", "qmc", "tpe", "ga", "cmaes", "gp", "curve_gp", "grid"])
@pytest.mark.timeout(60)
def test_every_member_goes_on_in_the_wider_space(files: SweepFiles, member: str) -> None:
    begin(files, sampler={"members": [member]}, trials=30)
    with at_work(files, new=True) as (_, study, _):
        train(study, 12)
    assert widened(files) == (
        "lr0: 0.009 to 0.011 -> 0.0001 to 0.1",
        "momentum: 0.9 to 0.95 -> 0.1 to 0.98",
        "anchors: 3 to 4 -> 2 to 9",
    )
    with at_work(files) as (sweep, study, _):
        assert sweep.space.parameters["lr0"].low == 0.0001
        params = train(study, 12)
        old = [trial.params for trial in study.study.trials[:12]]
    for name in ("lr0", "momentum", "anchors"):
        low, high = OLD[name]["low"], OLD[name]["high"]
        assert all(low <= each[name] <= high for each in old)
        assert any(not low <= each[name] <= high for each in params), name


def test_members_see_all_trials_as_drawn_from_the_wider_space(files: SweepFiles) -> None:
    """Optuna intersects the spaces of trials: what differs among them is no longer drawn together."""
    begin(files, sampler={"members": {"tpe": {"n_startup_trials": 1}}})
    with at_work(files, new=True) as (_, study, _):
        train(study, 4)
    widened(files)
    with at_work(files) as (sweep, study, _):
        train(study, 2)
        wide = sweep.space.distributions()
        for trial in study.trials():
            assert trial.distributions == {name: wide[name] for name in trial.params}
        stored = study.study.trials
        assert stored[0].distributions["lr0"] != stored[-1].distributions["lr0"] == wide["lr0"]
        assert [trial.params for trial in stored] == [trial.params for trial in study.trials()]


def test_the_study_records_it_and_both_copies_are_the_new_ones(files: SweepFiles) -> None:
    begin(files)
    with at_work(files, new=True):
        pass
    widened(files)
    with at_work(files) as (sweep, study, _):
        (entry,) = study.study.user_attrs[WIDENED]
        assert entry["wider"][1] == "momentum: 0.9 to 0.95 -> 0.1 to 0.98"
        assert entry["space"] == study.study.user_attrs["identity"]["space"] == sweep.space.identity()
        assert entry["at"].endswith("+00:00")
    assert (files.run / "space.yaml").read_text() == (files.folder / "wider.yaml").read_text()
    assert widened(files) == ()  # it is that wide already
    other = WIDER | {"momentum": WIDER["momentum"] | {"default": 0.5}}
    assert widened(files, other) == ()
    assert (files.run / "space.yaml").read_text() == (files.folder / "wider.yaml").read_text()
    assert widened(files, WIDER | {"momentum": {"low": 0.05, "high": 0.98}}) == (
        "momentum: 0.1 to 0.98 -> 0.05 to 0.98",
    )
    with at_work(files) as (_, study, _):
        assert len(study.study.user_attrs[WIDENED]) == 2


def test_a_kill_before_the_file_leaves_the_old_space_and_it_can_be_done_again(
    files: SweepFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(files)
    with at_work(files, new=True):
        pass

    def kill(path: Path, content: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(widening, "write_text", kill)
        with pytest.raises(KeyboardInterrupt):
            widened(files)
    with at_work(files) as (sweep, study, _):
        assert sweep.space == load_space(files.folder / "space.yaml")
        assert all(0.9 <= each["momentum"] <= 0.95 for each in train(study, 3))
    assert len(widened(files)) == 3
    with at_work(files) as (sweep, study, _):
        assert sweep.space == load_space(files.folder / "wider.yaml")
        assert len(study.study.user_attrs[WIDENED]) == 1


def test_a_space_that_was_widened_by_hand_is_still_refused(files: SweepFiles) -> None:
    begin(files)
    with at_work(files, new=True):
        pass
    widened(files)
    with at_work(files):
        pass
    for other in (OLD, WIDER | {"momentum": {"low": 0.05, "high": 0.98}}):
        put(files.run / "space.yaml", other)
        with pytest.raises(InputError, match="another space"), at_work(files):
            pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"lr0": {"low": 0.0095, "high": 0.1, "log": True}},
            r"lr0: narrower \(0\.0095 to 0\.1 instead of 0\.009 to 0\.011",
        ),
        ({"lr0": {"low": 0.0001, "high": 0.1}}, "lr0: another scale"),
        ({"lr0": None}, "lr0: gone"),
        ({"momentum": {"choices": [0.9, 0.95], "default": 0.9}}, "momentum: categorical instead of float"),
        ({"optimizer": {"choices": ["SGD", "AdamW", "Adam"], "default": "SGD"}}, "optimizer: other choices, .* Optuna"),
        ({"weight_decay": {"low": 0.0, "high": 0.1}}, "weight_decay: another `name` or `when`"),
        ({"fliplr": {"value": 0.4}}, r"fliplr: fixed to 0\.4 instead of 0\.5"),
        ({"mosaic": {"low": 0.0, "high": 1.0, "default": 1.0}}, "mosaic: not in the space so far"),
    ],
)
def test_anything_else_is_refused_by_name_and_changes_nothing(
    files: SweepFiles, change: dict[str, Any], message: str
) -> None:
    begin(files)
    with at_work(files, new=True):
        pass
    before = {path: path.read_bytes() for path in files.run.glob("*.yaml")}
    wrong = {name: entry for name, entry in (WIDER | change).items() if entry is not None}
    with pytest.raises(InputError, match=rf"--widen {files.folder}/wider\.yaml: {message}"):
        widened(files, wrong)
    assert {path: path.read_bytes() for path in files.run.glob("*.yaml")} == before
    with at_work(files) as (_, study, _):
        assert WIDENED not in study.study.user_attrs


def test_what_says_no_more_than_where_the_search_starts_may_change() -> None:
    old = Space.model_validate({"parameters": {"lr0": {"low": 0.001, "high": 0.1, "default": 0.01}}})
    new = Space.model_validate({"parameters": {"lr0": {"low": 0.001, "high": 0.1, "default": 0.02, "gain": 3}}})
    assert compare(old, new) == ((), ())


def test_it_is_refused_beside_another_driver(files: SweepFiles) -> None:
    begin(files)
    wider = put(files.folder / "wider.yaml", WIDER)
    with at_work(files, new=True):
        with pytest.raises(InputError, match="is in use"):
            resume_sweep(files.run, space=wider)
        with pytest.raises(InputError, match="--widen and --join"):
            resume_sweep(files.run, join=True, space=wider)


def test_the_command_says_what_is_wider_and_needs_no_ray_for_it(files: SweepFiles, cli: Cli) -> None:
    begin(files, trials=3)
    wider = put(files.folder / "wider.yaml", WIDER)
    with at_work(files, new=True) as (_, study, _):
        train(study, 3)
    found = cli("resume", files.run, "--widen", wider)
    assert (found.code, found.err) == (0, "")
    assert "wider: momentum: 0.9 to 0.95 -> 0.1 to 0.98\n" in found.out
    assert "3 COMPLETE\n" in found.out
    assert "wider: nothing; " in cli("resume", files.run, "--widen", wider).out
    put(wider, WIDER | {"momentum": {"low": 0.2, "high": 0.98}})
    refused = cli("resume", files.run, "--widen", wider)
    assert (refused.code, refused.out) == (2, "")
    assert "momentum: narrower (0.2 to 0.98 instead of 0.1 to 0.98)" in refused.err
