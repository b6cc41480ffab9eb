"""Workers that train together, against a straight computation of the same in one process."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_prep.errors import InputError, OutOfMemoryError
from tests.trainable.joined_training import train_together
from trainable import rng
from trainable.batches import EpochBatches
from trainable.checkpoint import read_checkpoint
from trainable.forward import ExactForward, FastForward
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.replicas import Replicas
from trainable.settings import TrainSettings

CPU = torch.device("cpu")
HYP = Hyp(warmup_epochs=0.5, mixup=0.3)


@given(st.integers(1, 40), st.integers(1, 8))
def test_workers_share_a_batch(images: int, workers: int) -> None:
    batch = np.random.default_rng(0).permutation(images)
    shares = [Replicas(rank, workers).share(batch) for rank in range(workers)]

    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(len(share) >= 1 for share in shares)
    together = np.concatenate(shares)
    assert set(together) == set(batch)
    if images >= workers:
        assert len(together) == images


def test_one_worker_has_the_whole_batch() -> None:
    assert Replicas().share([3, 1, 2]).tolist() == [3, 1, 2]
    assert Replicas().joined(torch.nn.Linear(1, 1), CPU) is None


def test_a_batch_of_fewer_images_than_workers_is_refused(settings: TrainSettings) -> None:
    with pytest.raises(InputError, match=r"train\.batch_size is 8.*9 workers cannot share it"):
        EpochLoop(settings, Hyp(), replicas=Replicas(0, 9))


def test_synchronised_statistics_need_gpus(settings: TrainSettings) -> None:
    with pytest.raises(InputError, match="sync_bn needs GPUs"):
        EpochLoop(settings, Hyp(), replicas=Replicas(0, 2, sync_bn=True))


def test_streams_differ_by_epoch_and_rank() -> None:
    def draw(*entropy: int) -> tuple[float, float, float]:
        rng.seed(*entropy)
        return np.random.random(), float(torch.rand(())), __import__("random").random()  # noqa: NPY002  # the global stream

    drawn = {key: draw(*key) for key in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]}
    assert len(set(drawn.values())) == 4
    assert draw(0, 1, 0) == drawn[(0, 1, 0)]


class SharedBatches:
    """What the workers have of each batch, one after the other."""

    def __init__(self, loops: list[EpochLoop]) -> None:
        self._parts = [loop.parts.train for loop in loops]
        self.dataset = self._parts[0].dataset

    def __len__(self) -> int:
        return len(self._parts[0])

    def epoch(self, number: int) -> Iterator[list[Any]]:
        yield from map(list, zip(*(part.epoch(number) for part in self._parts), strict=True))

    def state_dict(self) -> dict[str, Any]:
        return {}


@dataclasses.dataclass(frozen=True)
class InTurn:
    """The losses of all workers added up, each with the first one's statistics from the batch before."""

    forward: ExactForward | FastForward

    def __call__(self, batches: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        before = [buffer.clone() for buffer in self.forward.model.buffers()]
        found, kept = [], before
        for rank, batch in enumerate(batches):
            for buffer, value in zip(self.forward.model.buffers(), before, strict=True):
                buffer.data.copy_(value)
            found.append(self.forward(batch))
            if rank == 0:
                kept = [buffer.clone() for buffer in self.forward.model.buffers()]
        for buffer, value in zip(self.forward.model.buffers(), kept, strict=True):
            buffer.data.copy_(value)
        loss, items = (torch.stack(values) for values in zip(*found, strict=True))
        return loss.sum(0), items.mean(0)


def in_turn(settings: TrainSettings, hyp: Hyp, workers: int) -> EpochLoop:
    """A loop that computes in one process what so many workers compute together."""
    pieces = [EpochLoop(settings, hyp) for _ in range(workers)]
    for rank, piece in enumerate(pieces):
        batches: Any = piece.parts.train
        batches._replicas = Replicas(rank, workers)
    loop = EpochLoop(settings, hyp)
    loop.parts = dataclasses.replace(
        loop.parts,
        train=SharedBatches(pieces),
        forward=InTurn(loop.parts.forward),  # type: ignore[arg-type]
    )
    return loop


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_train_as_one_that_takes_their_batches_in_turn(settings: TrainSettings, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, amp=False, batch_size=6, nominal_batch_size=12)
    first, second = train_together(settings, HYP, tmp_path / "two", workers=2, epochs=2)
    loop = in_turn(settings, HYP, 2)
    rows = [loop.run_epoch().as_dict() for _ in range(2)]

    for name in ("train_box_loss", "train_obj_loss", "train_cls_loss", "val_box_loss", "val_obj_loss"):
        assert [row[name] for row in first] == pytest.approx([row[name] for row in rows], rel=1e-3), name
    assert [row["train_box_loss"] for row in first] == [row["train_box_loss"] for row in second]
    tensors, _ = read_checkpoint(tmp_path / "two" / "checkpoint")
    start = EpochLoop(settings, HYP).parts.model.state_dict()
    for name, model in (("model", loop.parts.model), ("ema", loop.parts.ema.ema)):
        for key, value in model.state_dict().items():
            if value.is_floating_point() and "anchor" not in key:
                moved, apart = (value - start[key]).norm(), (tensors[name][key] - value).norm()
                assert apart <= 0.01 * moved, (name, key)


@pytest.mark.slow
@pytest.mark.exhaustive  # on the fast path test_final.py does it under Ray, with a kill
@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", ["fast", "exact"])
def test_they_go_on_bit_by_bit_from_a_checkpoint_and_one_goes_on_alone(
    settings: TrainSettings, tmp_path: Path, path: str
) -> None:
    settings = dataclasses.replace(settings, path=path, val_split=None)
    whole = train_together(settings, HYP, tmp_path / "whole", workers=2, epochs=3)
    half = train_together(settings, HYP, tmp_path / "half", workers=2, epochs=2)
    begin = tmp_path / "half" / "checkpoint"
    rest = train_together(settings, HYP, tmp_path / "rest", workers=2, epochs=1, begin=begin)

    losses = ("train_box_loss", "train_obj_loss", "train_cls_loss")
    assert [row[n] for row in [*half[0], *rest[0]] for n in losses] == [row[n] for row in whole[0] for n in losses]
    unbroken, _ = read_checkpoint(tmp_path / "whole" / "checkpoint")
    resumed, _ = read_checkpoint(tmp_path / "rest" / "checkpoint")
    assert all(torch.equal(unbroken["model"][key], value) for key, value in resumed["model"].items())

    loop = EpochLoop(settings, HYP)
    loop.load(begin)
    assert loop.run_epoch().as_dict()["train_box_loss"] == pytest.approx(whole[0][2]["train_box_loss"], rel=0.2)


def test_memory_that_runs_out_on_one_of_several_is_an_error(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = EpochLoop(settings, Hyp())
    loop._replicas = Replicas(1, 2)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(loop, "_run_epoch", full)
    with pytest.raises(OutOfMemoryError, match="does not fit into the memory of worker 1"):
        loop.run_epoch()


def test_order_and_batches_are_those_of_one_worker(settings: TrainSettings) -> None:
    loop = EpochLoop(dataclasses.replace(settings, path="exact"), Hyp())
    dataset = loop.parts.train.dataset

    def paths(replicas: Replicas) -> list[tuple[str, ...]]:
        return [batch[2] for batch in EpochBatches(dataset, 6, shuffle=True, replicas=replicas).epoch(0)]

    alone, first, second = paths(Replicas()), paths(Replicas(0, 2)), paths(Replicas(1, 2))
    assert [set(a) | set(b) for a, b in zip(first, second, strict=True)] == [set(each) for each in alone]
