"""Trials that are drawn before they are stored: as Optuna would draw them, in one record, whole or not at all."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, CmaEsSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, get_storage
from optuna.trial import FrozenTrial, TrialState

from search.drafts import DraftStorage
from search.journal import mend_journal
from search.journal_storage import SweepJournal
from search.priors import Prior
from search.samplers import (
    AUTHOR_KEY,
    GeneticSampler,
    PortfolioSampler,
    PriorSampler,
    StagedSampler,
    TrialSeededSampler,
)
from search.samplers.stages import Stage
from search.space import Space
from search.study import SweepStudy

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

SPACE = Space.model_validate(
    {
        "parameters": {
            "lr0": {"low": 1e-5, "high": 0.1, "log": True},
            "momentum": {"low": 0.6, "high": 0.98},
            "anchors": {"type": "int", "low": 2, "high": 10},
            "mosaic": {"value": 1.0},
            "optimizer": {"choices": ["SGD", "AdamW"]},
        }
    }
)


def _tpe(seed: int) -> TPESampler:
    return TPESampler(seed=seed, n_startup_trials=3, multivariate=True, constant_liar=True)


def _portfolio() -> PortfolioSampler:
    return PortfolioSampler({"ga": GeneticSampler(seed=0), "tpe": TrialSeededSampler(_tpe, seed=1)}, seed=2)


def _staged() -> StagedSampler:
    stages = (
        Stage("pace", 5, frozenset({"lr0", "momentum"})),
        Stage("rest", 6, frozenset({"anchors", "optimizer"})),
        Stage("all", 1, frozenset(SPACE.parameters)),
    )
    starts = {"lr0": 0.01, "momentum": 0.9, "anchors": 3, "optimizer": "SGD"}
    return StagedSampler(stages, starts, _portfolio, lambda study: study.best_trial)


SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "tpe": lambda: _tpe(0),
    "random": lambda: RandomSampler(seed=0),
    "qmc": lambda: QMCSampler(seed=0, scramble=True),
    "cmaes": lambda: CmaEsSampler(seed=0, n_startup_trials=2, warn_independent_sampling=False),
    "portfolio": _portfolio,
    "prior": lambda: PriorSampler(_portfolio(), {"momentum": Prior(0.9)}, strength=3, seed=0),
    "stages": _staged,
}


def journal(folder: Path) -> BaseStorage:
    return SweepJournal((folder / "study.journal").resolve())


def sqlite(folder: Path) -> BaseStorage:
    return get_storage(f"sqlite:///{folder}/study.db")


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], BaseStorage]:
    """Opens one and the same storage again and again."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")(f"test_{uuid.uuid4().hex}")
        return lambda: get_storage(url)
    return functools.partial({"journal": journal, "sqlite": sqlite}[request.param], tmp_path)


def swept(storage: BaseStorage, sampler: BaseSampler, stream: int = 0) -> SweepStudy:
    study = optuna.create_study(
        storage=storage, sampler=sampler, study_name="s", direction="maximize", load_if_exists=True
    )
    return SweepStudy(study, storage, SPACE, stream)


def worth(params: dict[str, Any]) -> float:
    return float(params["momentum"] - abs(params["anchors"] - 5) + (params["optimizer"] == "SGD"))


def stable(attrs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attrs.items() if "relative_params" not in key}


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_a_draw_is_what_optuna_itself_would_ask(
    make: Callable[[], BaseSampler], where: Callable[[], BaseStorage]
) -> None:
    ours = swept(where(), make())
    theirs = optuna.create_study(sampler=make(), direction="maximize")
    for number in range(15):
        drawn, asked = ours.draw(), theirs.ask(SPACE.distributions())
        assert (drawn.number, drawn.state) == (number, TrialState.RUNNING)
        assert drawn.params == asked.params
        assert drawn.distributions == asked.distributions
        assert drawn.user_attrs == asked.user_attrs
        assert stable(drawn.system_attrs).keys() == stable(theirs.trials[number].system_attrs).keys()
        ours.finish(number, TrialState.COMPLETE, worth(drawn.params))
        theirs.tell(asked, worth(asked.params))


def test_a_draw_is_one_record(tmp_path: Path) -> None:
    study = swept(journal(tmp_path), _portfolio())
    path = tmp_path / "study.journal"
    for number in range(8):
        before = path.read_bytes().count(b"\n")
        drawn = study.draw()
        assert path.read_bytes().count(b"\n") == before + 1
        assert drawn.user_attrs[AUTHOR_KEY] in ("ga", "tpe")
        study.finish(number, TrialState.COMPLETE, worth(drawn.params))


def test_a_kill_leaves_a_trial_whole_or_not_at_all(tmp_path: Path) -> None:
    study = swept(journal(tmp_path), RandomSampler(seed=0))
    study.draw()
    path = tmp_path / "study.journal"
    before = len(path.read_bytes())
    whole = study.draw()
    content = path.read_bytes()
    for cut in range(before, len(content), 7):
        path.write_bytes(content[:cut])
        mend_journal(tmp_path)
        assert len(swept(journal(tmp_path), RandomSampler(seed=0)).trials()) == 1
    path.write_bytes(content)
    left = swept(journal(tmp_path), RandomSampler(seed=0)).trial(whole.number)
    assert (left.params, left.state) == (whole.params, TrialState.RUNNING)


def test_an_enqueued_trial_comes_first_with_its_values_and_what_they_lack(where: Callable[[], BaseStorage]) -> None:
    study = swept(where(), _portfolio())
    study.study.enqueue_trial({"lr0": 0.01, "anchors": 4}, user_attrs={AUTHOR_KEY: "known"})
    first, second = study.draw(), study.draw()
    assert (first.number, second.number) == (0, 1)
    assert (first.params["lr0"], first.params["anchors"]) == (0.01, 4)
    assert first.params.keys() == SPACE.parameters.keys()
    assert first.user_attrs[AUTHOR_KEY] == "known"
    assert second.params["lr0"] != 0.01


def test_a_number_that_another_driver_took_is_passed_over(
    where: Callable[[], BaseStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = swept(where(), _portfolio()), swept(where(), _portfolio(), stream=1)
    for _ in range(4):
        ours.finish(ours.draw().number, TrialState.COMPLETE, 0.5)
    store = DraftStorage.store

    def overtaken(self: DraftStorage, trial_id: int) -> int:
        monkeypatch.setattr(DraftStorage, "store", store)
        taken.append(theirs.draw())  # between our draw and our write
        return store(self, trial_id)

    taken: list[FrozenTrial] = []
    monkeypatch.setattr(DraftStorage, "store", overtaken)
    drawn = ours.draw()
    assert (taken[0].number, drawn.number) == (4, 5)
    assert taken[0].params["momentum"] != drawn.params["momentum"]
    for study in (ours, theirs):
        assert [t.params for t in study.trials()[4:]] == [taken[0].params, drawn.params]


@pytest.mark.parametrize("make", [_portfolio, lambda: TrialSeededSampler(_tpe, seed=1), lambda: GeneticSampler(seed=0)])
def test_two_drivers_draw_different_trials_under_one_number(tmp_path: Path, make: Callable[[], BaseSampler]) -> None:
    drawn = []
    for stream in (0, 1, 2):
        (tmp_path / str(stream)).mkdir()
        study = swept(journal(tmp_path / str(stream)), make(), stream)
        drawn.append([study.draw().params["momentum"] for _ in range(5)])
    assert all(len(set(values)) == 3 for values in zip(*drawn, strict=True))


def test_what_samplers_tell_each_other_of_a_half_drawn_trial_is_not_stored(tmp_path: Path) -> None:
    study = swept(journal(tmp_path), _tpe(0))
    for number in range(6):
        drawn = study.draw()
        assert drawn.system_attrs == {}
        study.finish(number, TrialState.COMPLETE, worth(drawn.params))


def test_a_draft_that_failed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = swept(journal(tmp_path), RandomSampler(seed=0))
    before = (tmp_path / "study.journal").read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(RandomSampler, "sample_independent", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            study.draw()
    assert (tmp_path / "study.journal").read_bytes() == before
    assert study.draw().number == 0
