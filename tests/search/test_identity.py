from __future__ import annotations

from typing import Any

import pytest
import yaml

from data_prep.errors import InputError
from tests.search.conftest import SweepFiles, open_tiny


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("metric", {"metric": "map75"}),
        ("mode", {"mode": "min"}),
        ("epochs", {"train": {"epochs": 10, "model": "yolov5n"}}),
        ("train", {"train": {"epochs": 9, "model": "yolov5s"}}),
    ],
)
def test_a_study_of_another_sweep_is_refused_by_name(files: SweepFiles, part: str, changes: dict[str, Any]) -> None:
    open_tiny(files)
    with pytest.raises((InputError, ValueError), match=f"tiny.*another {part}"):
        open_tiny(files, new=False, **changes)


def test_another_space_is_refused_by_name(files: SweepFiles) -> None:
    open_tiny(files)
    ranges = {"lr0": {"low": 1e-4, "high": 0.5, "log": True}, "momentum": {"low": 0.1, "high": 0.98}}
    (files.folder / "space.yaml").write_text(yaml.safe_dump({"parameters": ranges}))
    with pytest.raises(InputError, match=r"another space \(lr0\)"):
        open_tiny(files, new=False)


def test_other_data_is_refused_by_name(files: SweepFiles) -> None:
    (files.folder / "manifest.json").write_text('{"images": 1}')
    open_tiny(files)
    (files.folder / "manifest.json").write_text('{"images": 2}')
    with pytest.raises(InputError, match="another data"):
        open_tiny(files, new=False)


def test_another_machine_is_no_other_sweep(files: SweepFiles) -> None:
    open_tiny(files)
    open_tiny(files, new=False, train={"epochs": 9, "model": "yolov5n", "device": "cpu", "workers": 2}, trials=50)
    open_tiny(files, new=False, train={"epochs": 9, "model": "yolov5n", "cache_dir": "/elsewhere"})


def test_a_study_of_before_the_fast_path_goes_on_with_the_exact_one(files: SweepFiles) -> None:
    study, _ = open_tiny(files)
    held = study.study.user_attrs["identity"]
    before = {key: value for key, value in held["train"].items() if key not in ("path", "weights_sha256")}
    study.study.set_user_attr("identity", {**held, "train": before})
    with pytest.raises(InputError, match=r"another train \(path\)"):
        open_tiny(files, new=False)
    open_tiny(files, new=False, train={"epochs": 9, "model": "yolov5n", "path": "exact"})
