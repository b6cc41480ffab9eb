"""Who trains the final model, on nodes that are described to the code that asks Ray for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.errors import InputError
from search import runtime
from search.config import ResourcesConfig
from search.final_workers import FinalWorkers, final_workers
from trainable.settings import TrainSettings

Nodes = Callable[..., None]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    def describe(*sizes: tuple[int, int]) -> None:
        found = [{"NodeID": str(i), "Resources": {"CPU": c, "GPU": g}} for i, (c, g) in enumerate(sizes)]
        monkeypatch.setattr(runtime, "_alive", lambda: found)

    return describe


def settings(batch_size: int = 16) -> TrainSettings:
    return TrainSettings(data=str(Path("data.yaml")), epochs=1, batch_size=batch_size)


@pytest.mark.parametrize(
    ("size", "resources", "count", "shared", "expected"),
    [
        ((8, 0), {}, 1, False, (1, 8, 0)),  # all cores of a Ray of its own
        ((8, 0), {}, 1, True, (1, 1, 0)),
        ((8, 0), {"cpus": 2}, 3, False, (3, 2, 0)),
        ((8, 4), {}, 4, False, (4, 2, 1)),
        ((8, 4), {"gpus": 0.25}, 2, False, (2, 4, 1)),  # a whole GPU each
        ((8, 4), {"gpus": 0.25}, 1, False, (1, 8, 0.25)),  # one has what a trial has
        ((8, 4), {"gpus": 2}, 2, False, (2, 4, 2)),
        ((2, 1), {"cpus": 2}, 16, True, (16, 2, 1)),  # more nodes may come
    ],
)
def test_each_worker_occupies(
    nodes: Nodes,
    size: tuple[int, int],
    resources: dict[str, float],
    count: int,
    shared: bool,
    expected: tuple[float, ...],
) -> None:
    nodes(size)
    found = final_workers(ResourcesConfig(**resources), settings(), count, sync_bn=False, shared=shared)
    assert found == FinalWorkers(*expected)


@pytest.mark.parametrize(
    ("size", "resources", "count", "said"),
    [
        ((2, 0), {}, 3, r"--workers 3: this machine has room for 2 \(each takes a core\)"),
        ((8, 2), {}, 3, "--workers 3: this machine has room for 2 .*a core and a GPU"),
        ((1, 2), {}, 2, "--workers 2: this machine has room for 1 "),
        ((8, 2), {"gpus": 2}, 2, "--workers 2: this machine has room for 1 "),
        ((64, 0), {}, 17, r"train\.batch_size is 16.*17 workers"),
        ((2, 0), {"cpus": 4}, 1, "a trial takes 4 CPUs"),
    ],
)
def test_what_has_no_room_is_refused(
    nodes: Nodes, size: tuple[int, int], resources: dict[str, float], count: int, said: str
) -> None:
    nodes(size)
    with pytest.raises(InputError, match=said):
        final_workers(ResourcesConfig(**resources), settings(), count, sync_bn=False, shared=False)


def test_synchronised_statistics_are_refused_without_gpus(nodes: Nodes) -> None:
    nodes((4, 0))
    with pytest.raises(InputError, match="sync_bn needs GPUs"):
        final_workers(ResourcesConfig(), settings(), 2, sync_bn=True, shared=False)
    nodes((4, 2))
    assert final_workers(ResourcesConfig(), settings(), 2, sync_bn=True, shared=False).gpus == 1
