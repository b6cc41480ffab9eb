from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from search.known.choose import NEAR, choose, ranking
from search.known.fit import Fitted
from search.known.source import KnownSource, KnownTrial

SEARCHED = {"momentum": FloatDistribution(0.0, 1.0)}


def trial(value: float | None, epochs: int | None = None, finished: bool = True, **metrics: float) -> KnownTrial:
    return KnownTrial(params={}, label="x", value=value, epochs=epochs, finished=finished, metrics=metrics)


def source(*trials: KnownTrial, maximize: bool = True) -> KnownSource:
    return KnownSource(name="x", trials=trials, maximize=maximize)


def candidates(*momenta: float) -> list[tuple[int, Fitted]]:
    return [(index, Fitted(trial(0.0), {"momentum": m}, {}, (), {})) for index, m in enumerate(momenta)]


def take(*momenta: float, present: tuple[int, ...] = (), held: tuple[float, ...] = (), **options: Any) -> list[int]:
    options = {"top": None, "spread": True, **options}
    held_params = [{"momentum": m} for m in held]
    return [index for index, _ in choose(candidates(*momenta), present, held_params, SEARCHED, **options).taken]


def test_the_best_come_first_and_the_earlier_among_equals() -> None:
    assert ranking(source(trial(0.1), trial(0.3), trial(0.3), trial(0.2)), "fitness", "max") == [1, 2, 3, 0]
    assert ranking(source(trial(0.1), trial(0.3), maximize=False), "fitness", "max") == [0, 1]


def test_the_metric_of_this_sweep_decides_where_it_was_measured() -> None:
    known = source(trial(0.9, map75=0.1), trial(0.1, map75=0.9), maximize=False)
    assert ranking(known, "map75", "max") == [1, 0]
    assert ranking(known, "map75", "min") == [0, 1]
    assert ranking(source(trial(0.9, map75=0.1), trial(0.1)), "map75", "max") == [0, 1]


def test_what_was_trained_further_stands_before_a_higher_value() -> None:
    known = source(trial(0.9, 3, finished=False), trial(0.5, 9, finished=False), trial(0.1, 9), trial(None))
    assert ranking(known, "fitness", "max") == [2, 1, 0, 3]


def test_scores_of_two_sources_never_mix() -> None:
    """Each source gives its own best, however its figures stand to those of the other."""
    pigs, cows = source(trial(0.98), trial(0.99)), source(trial(0.1), trial(0.2))
    assert [ranking(each, "fitness", "max")[0] for each in (pigs, cows)] == [1, 1]


def test_near_copies_of_a_better_one_are_passed_over() -> None:
    assert take(0.5, 0.505, 0.515, 0.521) == [0, 3]
    assert take(0.5, 0.505, 0.515, 0.521, spread=False) == [0, 1, 2, 3]
    assert take(0.5, 0.6, held=(0.595,)) == [0]


def test_what_the_study_has_is_passed_over_and_the_next_best_taken() -> None:
    assert take(0.1, 0.2, 0.3, held=(0.1,), top=2) == [1, 2]
    assert take(0.1, 0.1, 0.3, spread=False) == [0, 2]


def test_only_as_many_are_looked_at_as_are_needed() -> None:
    def endless() -> Any:
        yield from candidates(0.1, 0.5)
        raise AssertionError("one too many")

    assert len(choose(endless(), (), [], SEARCHED, top=2, spread=True).taken) == 2


@settings(deadline=None, derandomize=True)
@given(
    momenta=st.lists(st.floats(0, 1), max_size=12),
    held=st.lists(st.floats(0, 1), max_size=4),
    top=st.integers(1, 6),
    data=st.data(),
)
def test_an_import_that_was_cut_off_ends_as_the_whole_one(
    momenta: list[float], held: list[float], top: int, data: st.DataObject
) -> None:
    whole = take(*momenta, held=tuple(held), top=top)
    done = tuple(whole[: data.draw(st.integers(0, len(whole)))])
    assert take(*momenta, held=tuple(held), top=top, present=done) == whole
    assert len(whole) <= top
    chosen = [momenta[index] for index in whole]
    assert all(abs(a - b) >= NEAR for i, a in enumerate(chosen) for b in chosen[:i] + held)
