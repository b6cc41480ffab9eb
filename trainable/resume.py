"""Which checkpoints a training may go on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.errors import WorkFailedError
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

PLACES = ("data", "weights", "weights_sha256", "device", "amp", "workers", "cache", "cache_dir", "broken_images")
"""Settings that may differ between the two halves of a training: where things lie, and on what it runs."""
_LARGEST = 2**53


def refuse_stranger(folder: str | Path, readable: Mapping[str, Any], settings: TrainSettings, hyp: Hyp) -> None:
    """Refuse a checkpoint of other settings or another hyp, most of which would load without a word.

    Args:
        folder:
            Where it lies, for the message.
        readable:
            Its ``checkpoint.json``.
        settings:
            Of the training that is to go on. A smaller batch in the checkpoint is what was left of it when memory ran
            out, and no stranger's.
        hyp:
            Of that training.

    Raises:
        WorkFailedError: It is another training's; the message names the first difference.
    """
    for group, mine in (("hyp", hyp.as_dict()), ("train", settings.as_dict())):
        stated = readable.get(group)
        theirs = stated if isinstance(stated, Mapping) else {}
        for name in sorted(mine.keys() | theirs.keys()):
            smaller = name == "batch_size" and _is_halved(theirs.get(name), settings.batch_size)
            if name not in PLACES and not smaller and mine.get(name) != theirs.get(name):
                raise WorkFailedError(
                    f"{folder}: is a checkpoint of another training ({group}.{name} is {theirs.get(name)!r} there "
                    f"and {mine.get(name)!r} here); go on from one of this training, or start it anew."
                )


def check_state(state: Mapping[str, Any], epochs: int, layers: int) -> None:
    """Refuse the numbers of a checkpoint's state that no training reaches; its tensors are refused where they are used.

    Args:
        state:
            What :meth:`trainable.loop.EpochLoop.state_dict` gave.
        epochs:
            Length of the schedule.
        layers:
            Output layers of the model.

    Raises:
        KeyError, TypeError: Something is missing, or is no state.
        ValueError: A number is out of range; the message names it.
    """
    least = {"epoch": 0, "accumulation": 1, "last_step": -_LARGEST, "ema_updates": 0, "batches": 1}
    for name, low in least.items():
        if type(state[name]) is not int or not low <= state[name] <= _LARGEST:
            raise ValueError(f"its {name} is {state[name]!a:.40}")
    if state["epoch"] > epochs or state["last_step"] >= state["epoch"] * state["batches"]:
        raise ValueError(f"its epoch {state['epoch']} or last step {state['last_step']} lies beyond its end")
    for name in ("ema_grid", "ema_anchor_grid"):
        if not isinstance(state[name], list) or len(state[name]) != layers:
            raise ValueError(f"its {name} is that of another model")


def _is_halved(size: object, whole: int) -> bool:
    """Whether ``size`` is what is left of a batch of ``whole`` after memory ran out, once or more often."""
    return isinstance(size, int) and 1 <= size < whole and size in {whole >> times for times in range(1, 20)}
