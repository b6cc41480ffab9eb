"""Share of an epoch that is not spent in forward passes, backward passes and the optimizer, on the fast path.

Forward counts the network and the loss, of training and of validation; what is left is waiting for batches, NMS,
metrics, the moving average and Python. Trains in this process; the first epoch is left out. Prints one JSON line last.

Usage: python benchmarks/share.py [--data .../data.yaml] [--model yolov5n] [--image-size 160] [--batch-size 16]
       [--images 200] [--threads 1] [--epochs 6]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from epoch import pictures

from trainable.forward import FastForward
from trainable.hyp import Hyp
from trainable.loop import EpochLoop
from trainable.settings import TrainSettings


class Clock:
    """Adds up the time inside some calls."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed_call(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            started = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:  # not twice where one lies within another
                    self.seconds += time.perf_counter() - started

        return timed_call


@contextmanager
def timing(loop: EpochLoop, clock: Clock) -> Iterator[None]:
    """Time the calls that are the training itself."""
    parts = loop.parts
    with ExitStack() as stack:
        for owner, name in (
            (FastForward, "__call__"), (torch.Tensor, "backward"), (parts.optimizer, "step"),
            (parts.ema.ema, "forward"), (type(parts.compute_loss), "__call__"),
        ):  # fmt: skip
            stack.enter_context(patch.object(owner, name, clock.timed(getattr(owner, name))))
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="yolov5n")
    for name, default in (("image-size", 160), ("batch-size", 16), ("images", 200), ("threads", 1), ("epochs", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainSettings(
            data=str(pictures(arguments, Path(folder))), epochs=arguments.epochs, model=arguments.model, device="cpu",
            image_size=arguments.image_size, batch_size=arguments.batch_size,
        )  # fmt: skip
        loop = EpochLoop(settings, Hyp())
        loop.run_epoch()
        shares = [share(loop) for _ in range(arguments.epochs - 1)]
    print(json.dumps({
        "benchmark": "share", "path": "fast", **{k: str(v) if k == "data" else v for k, v in vars(arguments).items()},
        "median": round(statistics.median(shares), 4), "range": [round(min(shares), 4), round(max(shares), 4)],
    }))  # fmt: skip


def share(loop: EpochLoop) -> float:
    """What is left of an epoch besides the training itself."""
    clock = Clock()
    with timing(loop, clock):
        seconds = loop.run_epoch().epoch_seconds
    return 1 - clock.seconds / seconds


if __name__ == "__main__":
    main()
