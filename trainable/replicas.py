"""Several workers that train one model together: whose part of a batch is whose, and how gradients meet.

As YOLOv5's multi-GPU training: ``batch_size`` is that of all workers together, so schedule, accumulation and weight
decay do not depend on how many there are; each computes the loss of its images, times the number of workers, because
``DistributedDataParallel`` averages gradients where one worker would sum them. What differs from one worker is the
statistics of batch normalisation, which each takes of its own images (``sync_bn`` takes them of all), and the means in
the loss, which are taken over the labels of each worker's images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from data_prep.errors import InputError, WorkFailedError
from trainable.yolov5_parts import DetectionModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


@dataclass(frozen=True)
class Replicas:
    """Which one of how many workers this process is.

    With more than one the default process group of ``torch.distributed`` must be there.

    Attributes:
        rank:
            Number of this worker, from 0; the first one validates, reports and writes checkpoints.
        world_size:
            How many there are.
        sync_bn:
            Whether batch normalisation sees the images of all workers (GPUs only).
    """

    rank: int = 0
    world_size: int = 1
    sync_bn: bool = False

    @property
    def alone(self) -> bool:
        """Whether this is the only worker."""
        return self.world_size == 1

    @property
    def first(self) -> bool:
        """Whether this worker speaks for all."""
        return self.rank == 0

    def check(self, batch_size: int, device: torch.device) -> None:
        """Refuse what cannot be shared.

        Raises:
            InputError: There are more workers than images in a batch, or ``sync_bn`` is asked for without GPUs.
        """
        if self.world_size > batch_size:
            raise InputError(
                f"train.batch_size is {batch_size}, the images of all workers together: {self.world_size} workers "
                "cannot share it; take fewer workers."
            )
        if self.sync_bn and device.type != "cuda":
            raise InputError("sync_bn needs GPUs: torch synchronises batch normalisation there alone; leave it out.")

    def share(self, batch: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """This worker's images of a batch: every ``world_size``-th; all of a batch that is too small to share, again.

        Args:
            batch:
                Shape (n,), n at least 1.

        Returns:
            Shape (m,), m at least 1, ``n / world_size`` rounded up or down.
        """
        whole = np.asarray(batch, np.int64)
        if len(whole) < self.world_size:
            whole = np.resize(whole, self.world_size)
        return whole[self.rank :: self.world_size]

    def joined(self, model: DetectionModel, device: torch.device) -> nn.Module | None:
        """What to call in the model's place so that gradients meet (``yolov5.utils.torch_utils.smart_DDP``).

        None where this worker is alone. All workers start with the weights and buffers of the first one, and with its
        buffers at each batch.
        """
        if self.alone:
            return None
        if self.sync_bn:
            # The parameters stay the same objects: the optimizer has them already.
            model.model = nn.SyncBatchNorm.convert_sync_batchnorm(model.model)  # type: ignore[no-untyped-call]  # torch's
        # A static graph: every parameter has its part in every loss, be there labels or not.
        places = [device] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=places, static_graph=True)

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean over all workers of a tensor that each of them has."""
        if self.alone:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total / self.world_size

    def agree(self, value: Any, what: str) -> None:  # noqa: ANN401  # whatever can be pickled
        """See that all workers have the same of something, before one waits for ever for another.

        Raises:
            WorkFailedError: They have not.
        """
        if self.alone:
            return
        found: list[Any] = [None] * self.world_size
        distributed.all_gather_object(found, value)
        if any(each != found[0] for each in found):
            shown = ", ".join(map(str, dict.fromkeys(map(str, found))))
            raise WorkFailedError(f"the workers do not have the same {what} ({shown}): see to it that all nodes do.")

    def told(self, value: Any) -> Any:  # noqa: ANN401  # whatever can be pickled
        """What the first worker says, told to all."""
        if self.alone:
            return value
        said = [value]
        distributed.broadcast_object_list(said, src=0)
        return said[0]


ALONE = Replicas()
