from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from data_prep.errors import InputError
from trainable.downloads import weights_folder
from trainable.hyp import Hyp
from trainable.preflight import preflight, prepare_images
from trainable.settings import TrainSettings
from trainable.weights import build_model, save_stripped


def test_what_can_be_trained_passes(settings: TrainSettings) -> None:
    preflight(settings, Hyp())


def test_weights_of_another_kind_are_named(settings: TrainSettings, tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"no weights")

    with pytest.raises(InputError, match=r"w\.pt: is no YOLOv5 checkpoint"):
        preflight(dataclasses.replace(settings, weights=str(weights)), Hyp())


def test_weights_that_are_not_those_meant_are_named(settings: TrainSettings, tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    save_stripped(build_model("yolov5n", 2), weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()

    preflight(dataclasses.replace(settings, weights=str(weights), weights_sha256=digest), Hyp())
    with pytest.raises(InputError, match=rf"w\.pt: its SHA-256 is {digest} and should be {'0' * 64}"):
        preflight(dataclasses.replace(settings, weights=str(weights), weights_sha256="0" * 64), Hyp())


def test_an_official_name_is_taken_from_the_cache(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    weights_folder().mkdir(parents=True)
    save_stripped(build_model("yolov5n", 2), weights_folder() / "yolov5n.pt")

    preflight(dataclasses.replace(settings, weights="yolov5n.pt"), Hyp())

    assert (weights_folder() / "yolov5n.pt.sha256").exists()


def test_an_official_name_without_a_network_says_where_to_put_the_file(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    with pytest.raises(
        InputError, match=rf"v7\.0/yolov5m6\.pt: cannot be fetched.*put the file at {weights_folder()}/yolov5m6"
    ):
        preflight(dataclasses.replace(settings, weights="yolov5m6.pt", model="yolov5m6"), Hyp())
    assert not (weights_folder() / "yolov5m6.pt").exists()


@pytest.mark.parametrize("change", [{"train_split": "test"}, {"val_split": "test"}, {"device": "cuda:9"}])
def test_splits_and_device_are_named(settings: TrainSettings, change: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(change.values()))):
        preflight(dataclasses.replace(settings, **change), Hyp())


@pytest.mark.timeout(60)
def test_images_are_prepared_once_and_their_size_is_told(settings: TrainSettings, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, cache="disk", cache_dir=str(tmp_path / "cache"))

    first = prepare_images(settings, Hyp())
    banks = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.bank")}

    assert first.bytes > 0
    assert sum(path.stat().st_size for path in banks) >= first.bytes
    assert prepare_images(settings, Hyp()).bytes == first.bytes
    assert {path.name for path in (tmp_path / "cache").glob("*.bank")} == {path.name for path in banks}
    assert prepare_images(dataclasses.replace(settings, cache="none"), Hyp()).bytes == 0
