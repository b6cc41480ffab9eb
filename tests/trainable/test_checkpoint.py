from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data_prep.errors import WorkFailedError
from trainable.checkpoint import READABLE, TENSORS, read_checkpoint, write_checkpoint


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(5), "b": [{"c": torch.eye(2)}, 3, 0.5]}

    write_checkpoint(tmp_path / "c", tensors, {"epoch": 4})
    loaded, readable = read_checkpoint(tmp_path / "c")

    assert torch.equal(loaded["a"], tensors["a"])
    assert torch.equal(loaded["b"][0]["c"], torch.eye(2))
    assert readable["epoch"] == 4


@pytest.mark.parametrize("name", [TENSORS, READABLE])
@pytest.mark.parametrize("keep", [0, 0.3, 0.999])
def test_a_checkpoint_cut_short_is_refused(tmp_path: Path, name: str, keep: float) -> None:
    write_checkpoint(tmp_path, {"a": torch.arange(1000)}, {"epoch": 1})
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(keep * len(content))])

    with pytest.raises(WorkFailedError, match=str(tmp_path)):
        read_checkpoint(tmp_path)


def test_without_its_readable_part_it_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a": torch.arange(3)}, {"epoch": 1})
    (tmp_path / READABLE).unlink()

    with pytest.raises(WorkFailedError):
        read_checkpoint(tmp_path)
