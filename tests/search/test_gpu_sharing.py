from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.gpu_advice import GpuAdvice
from search.gpu_sharing import CONTEXT_BYTES, advice, gpu_fraction, greed, sharing, trials_per_gpu

GIB = 2**30
H100 = int(79.1 * GIB)


@pytest.mark.parametrize(
    ("peak", "total", "fit"),
    [
        (9.8, 79.1, 7),  # 9.8 * 1.05 + 0.5 = 10.79
        (10.0, 22.0, 2),  # exactly 11 GiB each
        (10.0, 21.99, 1),
        (0.1, 11.0, 18),  # the context of each is what counts
        (30.0, 24.0, 1),  # it did fit: so does one like it
    ],
)
def test_so_many_trials_fit(peak: float, total: float, fit: int) -> None:
    assert trials_per_gpu(int(peak * GIB), int(total * GIB)) == fit


@given(st.integers(1, 200 * GIB), st.integers(GIB, 200 * GIB))
def test_never_more_than_fit_with_their_contexts(peak: int, total: int) -> None:
    fit = trials_per_gpu(peak, total)
    assert fit == 1 or fit * (peak + CONTEXT_BYTES) <= total
    assert (fit + 1) * (peak * 1.05 + CONTEXT_BYTES) > total


@given(st.integers(1, 100))
def test_the_fraction_lets_so_many_share_a_gpu_and_no_more(trials: int) -> None:
    fraction = gpu_fraction(trials)
    assert trials * fraction <= 1 < (trials + 1) * fraction
    assert round(fraction, 4) == fraction  # Ray counts no finer
    assert sharing(fraction) == trials


@pytest.mark.parametrize(("gpus", "expected"), [(0, 1), (0.1, 10), (0.14, 7), (0.3333, 3), (0.5, 2), (0.51, 1), (2, 1)])
def test_ray_puts_so_many_trials_on_a_gpu(gpus: float, expected: int) -> None:
    assert sharing(gpus) == expected


def test_the_advice_names_the_key() -> None:
    assert advice(0, int(9.8 * GIB), H100) == (
        "trial 0 peaks at 9.8 of 79.1 GiB GPU memory: 7 trials fit on such a GPU (resources.gpus: 0.1428)"
    )
    assert "1 trial fits on such a GPU (resources.gpus: 1)" in advice(3, 60 * GIB, H100)


def test_a_greedy_fraction_is_warned_of_and_a_modest_one_is_not() -> None:
    assert greed(0, int(9.8 * GIB), H100, 0.1428) is None
    assert greed(0, int(9.8 * GIB), H100, 1) is None
    warning = greed(0, int(9.8 * GIB), H100, 0.125)
    assert warning is not None
    assert "resources.gpus is 0.125, so that 8 trials share a GPU of 79.1 GiB" in warning
    assert "set resources.gpus to 0.1428" in warning


def trial(number: int) -> Any:
    return SimpleNamespace(config={"trial_number": number})


def test_it_is_said_once_when_the_peak_has_settled(tmp_path: Path) -> None:
    said: list[str] = []
    callback = GpuAdvice(said.append, gpus=0.5)
    callback.on_trial_result(0, [], trial(0), {"epoch": 1})  # on a CPU nothing is measured
    measured = {"gpu_memory_peak": 10 * GIB, "gpu_memory_total": 24 * GIB}
    callback.on_trial_result(0, [], trial(0), {"epoch": 1, **measured})
    assert said == []
    callback.on_trial_result(0, [], trial(1), {"epoch": 1, **measured, "done": True})
    callback.on_trial_result(0, [], trial(0), {"epoch": 2, **measured})
    assert len(said) == 1
    assert said[0].startswith("trial 1 peaks at 10.0 of 24.0 GiB GPU memory: 2 trials fit")
    for number in (2, 3):  # a larger model: two of these no longer fit, which is said at once and once
        callback.on_trial_result(0, [], trial(number), {"epoch": 1, **measured, "gpu_memory_peak": 20 * GIB})
    assert len(said) == 2
    assert "trial 2 alone peaks at 20.0 GiB" in said[1]
