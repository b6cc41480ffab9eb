"""Batches of one epoch, in YOLOv5's random order, such that a resumed training goes on with the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from data_prep.errors import HypsweepError
from trainable.dataset import YoloDataset
from trainable.prefetch import prefetch
from trainable.replicas import ALONE, Replicas
from trainable.yolov5_parts import seed_worker

Batch = tuple[torch.Tensor, torch.Tensor, tuple[str, ...], tuple[Any, ...]]
"""Images (batch, 3, h, w) uint8 RGB; targets (boxes, 6): image, class, xywh normalised; paths; shapes."""

# YOLOv5's ``create_dataloader`` seeds its generator with this number + seed + RANK, and RANK is -1 without DDP.
GENERATOR_SEED = 6148914691236517205 - 1


class EpochBatches:
    """The batches of a data set, epoch after epoch.

    Equals YOLOv5's ``InfiniteDataLoader`` draw for draw without worker processes. With worker processes each epoch
    starts fresh ones, seeded from (seed, epoch), so that an epoch does not depend on the ones before it.

    Args:
        dataset:
            What to draw from.
        batch_size:
            Images per batch; the last one may be smaller.
        shuffle:
            Draw a new order each epoch.
        seed:
            Seed of the order and of the worker processes.
        workers:
            Worker processes; 0 loads in this process.
        threads:
            Without worker processes: threads that load ahead. Only for images that are not augmented, because
            YOLOv5's augmentation draws from the global random streams.
        replicas:
            Who shares each batch.
    """

    def __init__(
        self,
        dataset: YoloDataset,
        batch_size: int,
        *,
        shuffle: bool,
        seed: int = 0,
        workers: int = 0,
        threads: int = 0,
        replicas: Replicas = ALONE,
    ) -> None:
        self.dataset = dataset
        self._threads, self._replicas = threads, replicas
        self._seed = seed
        self._workers = min(workers, batch_size if batch_size > 1 else 0)
        self.generator = torch.Generator()
        self.generator.manual_seed(GENERATOR_SEED + seed)
        # DataLoader draws the base seed of its workers from the same generator before the first order.
        torch.empty((), dtype=torch.int64).random_(generator=self.generator)
        sampler = RandomSampler(dataset, generator=self.generator) if shuffle else SequentialSampler(dataset)
        self._batches = BatchSampler(sampler, min(batch_size, len(dataset)), drop_last=False)

    def __len__(self) -> int:
        return len(self._batches)

    def state_dict(self) -> dict[str, Any]:
        """Where the order of the data stands."""
        return {"order": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.generator.set_state(state["order"])

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of epoch ``number`` (from 0), which must be asked for in order."""
        indices = [self._replicas.share(batch).tolist() for batch in self._batches]
        if self._workers == 0:
            return prefetch(self._load, indices, self._threads)
        generator = torch.Generator()
        key = (self._seed, number) if self._replicas.alone else (self._seed, number, self._replicas.rank)
        generator.manual_seed(hash(key) % 2**63)
        loader: DataLoader[Any] = DataLoader(
            self.dataset,
            batch_sampler=indices,
            num_workers=self._workers,
            collate_fn=self.dataset.collate_fn,
            worker_init_fn=seed_worker,
            pin_memory=torch.cuda.is_available(),
            generator=generator,
        )
        return _loaded(loader)

    def _load(self, indices: list[int]) -> Batch:
        batch: Batch = self.dataset.collate_fn([self.dataset[index] for index in indices])
        return batch


def _loaded(loader: DataLoader[Any]) -> Iterator[Batch]:
    """The batches of a loader; an error of its worker processes without their traceback, which torch makes part of it.

    Raises:
        HypsweepError: What a worker raised.
    """
    try:
        yield from loader
    except HypsweepError as error:
        last = str(error).strip().rpartition("\n")[2]
        sentence = last.removeprefix(f"{type(error).__module__}.{type(error).__qualname__}: ")
        # Its traceback would keep the loader for the garbage collector, whose way of ending workers takes 5 s for each.
        raise type(error)(sentence) from error.with_traceback(None)
