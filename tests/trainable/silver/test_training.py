"""Trainings that set the thresholds of silver labels anew: their labels, their pixels, and what they refuse."""

from __future__ import annotations

import dataclasses
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_prep.dataset import read_data_yaml
from data_prep.errors import InputError
from data_prep.silver.rule import SilverRule
from tests.shapes import draw_shapes
from tests.trainable.silver.sets import RULE, noise, untrained
from trainable.augmented import AugmentedBatches
from trainable.dataset import DataStore, YoloDataset
from trainable.device_bank import device_bank
from trainable.failures import SHARED, kind_of
from trainable.hyp import Hyp
from trainable.image_bank import ImagePolicy
from trainable.loop import EpochLoop
from trainable.parts import set_up
from trainable.preflight import preflight
from trainable.settings import SILVER, TrainSettings
from trainable.silver.file import read_about, read_pictures, writing
from trainable.silver.run import SilverOptions, make_silver
from trainable.silver.training import labels_by_name, silver_images

pytestmark = pytest.mark.timeout(120)
SETTINGS: dict[str, Any] = {
    "epochs": 2, "model": "yolov5n", "image_size": 64, "batch_size": 4, "nominal_batch_size": 4,
    "min_warmup_iterations": 2, "device": "cpu", "autoanchor": False,
}  # fmt: skip
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def silver_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six gold pictures, all of them offered, and five new ones, of several shapes."""
    folder = tmp_path_factory.mktemp("silver")
    gold = draw_shapes(folder / "gold", train=6, val=3, seed=5)
    shutil.copytree(gold.parent / "images" / "train", folder / "source")
    for number in range(5):
        noise(folder / "source" / f"new{number}.png", 20 + number, ((120, 90), (200, 60))[number % 2])
    options = SilverOptions(rule=RULE, floor=0.0005, image_size=64, device="cpu")
    return make_silver(untrained(folder), gold, folder / "set", folder / "source", options).data


def settings(data: Path, **more: Any) -> TrainSettings:
    return TrainSettings(**{**SETTINGS, "data": str(data), **more})


def dataset(data: Path, store: DataStore, **more: Any) -> YoloDataset:
    found = set_up(settings(data, **more), Hyp(), store).train.dataset
    assert isinstance(found, YoloDataset)
    return found


def boxes_asked(data: Path) -> int:
    """A number of boxes that some new pictures have at the data set's thresholds, and others do not."""
    counts = sorted(len(labels_by_name(read_data_yaml(data), RULE)[f"new{number}.png"]) for number in range(5))  # type: ignore[arg-type]
    assert counts[0] < counts[-1]
    return counts[-1]


def test_the_data_sets_own_rule_gives_the_training_that_no_setting_gives(silver_set: Path) -> None:
    plain, same = (
        EpochLoop(settings(silver_set, **more), Hyp()) for more in ({}, {"silver_confidence": RULE.confidence})
    )
    for _ in range(2):
        mine, other = plain.run_epoch().as_dict(), same.run_epoch().as_dict()
        for name in ("train/box_loss", "train/obj_loss", "train/cls_loss", "map50_95"):
            assert mine.get(name) == other.get(name)
    ours, theirs = plain.parts.ema.ema.state_dict(), same.parts.ema.ema.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_thresholds_change_labels_and_pictures_and_share_one_file(silver_set: Path) -> None:
    store, least = DataStore(), boxes_asked(silver_set)
    whole = dataset(silver_set, store)
    strict = dataset(silver_set, store, silver_min_boxes=least)
    other = dataset(silver_set, store, silver_confidence=0.003, silver_min_boxes=least)
    assert len(strict.im_files) < len(whole.im_files) == 11
    gold = {file for file in whole.im_files if "new" not in Path(file).name}
    assert gold <= set(strict.im_files)
    assert any(len(a) != len(b) for a, b in zip(strict.labels, other.labels, strict=False))
    assert strict.bank.whole is whole.bank is other.bank.whole
    assert whole.bank.flat is not None
    assert strict.bank.flat is whole.bank.flat


def test_the_pixels_of_a_subset_are_those_of_the_same_files(silver_set: Path) -> None:
    for cache in ("disk", "none"):
        store = DataStore()
        whole = dataset(silver_set, store, cache=cache)
        part = dataset(silver_set, store, cache=cache, silver_min_boxes=boxes_asked(silver_set))
        place = {file: index for index, file in enumerate(whole.im_files)}
        assert len(part.bank) == len(part.im_files) == len(part.sizes) < len(whole.bank)
        again = pickle.loads(pickle.dumps(part.bank))  # as torch's worker processes get it
        for index, file in enumerate(part.im_files):
            for bank in (part.bank, again):
                mine, theirs = bank.load(index), whole.bank.load(place[file])
                np.testing.assert_array_equal(mine[0], theirs[0])
                assert mine[1:] == theirs[1:]
            np.testing.assert_array_equal(part.sizes[index], whole.sizes[place[file]])
            np.testing.assert_array_equal(part.bank.original_sizes[index], whole.bank.original_sizes[place[file]])


def test_a_subset_of_a_subset() -> None:
    class Content:  # a bank asks its content for the layout alone
        files = tuple("abcdef")

    from trainable.image_bank import ImageBank

    bank = ImageBank(Content())  # type: ignore[arg-type]
    part = bank.subset(np.array([1, 3, 5])).subset(np.array([2, 0]))
    assert part.whole is bank
    assert len(part) == 2
    assert part._rows is not None
    assert part._rows.tolist() == [5, 1]


def test_a_gpu_holds_the_pixels_once(silver_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []

    def put(bank: Any, device: torch.device) -> Any:
        moved.append(bank)
        return device_bank(bank, bank.flat, device)

    monkeypatch.setattr("trainable.dataset.put_on_device", put)
    store = DataStore()
    whole = dataset(silver_set, store)
    part = dataset(silver_set, store, silver_min_boxes=boxes_asked(silver_set))
    mine, theirs = store.on_device(part.bank, CPU), store.on_device(whole.bank, CPU)
    assert moved == [whole.bank]
    assert mine is not None
    assert theirs is not None
    assert mine.pixels is theirs.pixels
    for index in range(len(part.bank)):
        height, width = part.bank.sizes[index].tolist()
        assert mine.widths[index] == width
        begin = int(mine.offsets[index])
        pixels = mine.pixels[begin : begin + 3 * height * width].reshape(height, width, 3)
        np.testing.assert_array_equal(pixels.numpy(), part.bank.load(index)[0])


@pytest.mark.parametrize("on_device", [False, True])
def test_batches_of_a_subset_are_those_of_a_data_set_of_these_pictures(
    silver_set: Path, tmp_path: Path, on_device: bool
) -> None:
    """A stock data set that lists the pictures of the subset, with the same labels, gives the same pixels and boxes."""
    least = boxes_asked(silver_set)
    part = dataset(silver_set, DataStore(), silver_min_boxes=least)
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    for file, labels in zip(part.im_files, part.labels, strict=True):
        shutil.copy(file, tmp_path / "images")
        text = "".join(f"{int(row[0])} {' '.join(f'{value:.6f}' for value in row[1:])}\n" for row in labels)
        (tmp_path / "labels" / f"{Path(file).stem}.txt").write_text(text)
    (tmp_path / "data.yaml").write_text(f"train: images\nval: images\nnames: [disc, square]\npath: {tmp_path}\n")
    plain = dataset(tmp_path / "data.yaml", DataStore())
    found = []
    for each in (part, plain):
        model = EpochLoop(settings(silver_set), Hyp()).parts
        assert isinstance(model.train, AugmentedBatches)
        flat = each.bank.flat
        assert flat is not None
        bank = device_bank(each.bank, flat, CPU) if on_device else None
        batches = AugmentedBatches(each, Hyp().as_dict(), 4, seed=1, matcher=model.train._matcher, bank=bank)
        found.append([batch.images.clone() for batch in batches.epoch(0)])
    assert len(found[0]) == len(found[1]) > 1
    for mine, theirs in zip(*found, strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(("path", "workers"), [("exact", 0), ("exact", 2), ("fast", 1)])
def test_every_path_trains_on_a_subset(silver_set: Path, path: str, workers: int) -> None:
    least = boxes_asked(silver_set)
    loop = EpochLoop(settings(silver_set, path=path, workers=workers, silver_min_boxes=least), Hyp())
    loop.run_epoch()
    assert 6 <= loop.parts.train.dataset.n < 11


def test_full_has_silver_labels_and_val_keeps_its_own(silver_set: Path) -> None:
    store, least = DataStore(), boxes_asked(silver_set)
    full = dataset(silver_set, store, train_split="full", val_split=None, silver_min_boxes=least)
    train = dataset(silver_set, store, silver_min_boxes=least)
    labels = {Path(file).name: rows for file, rows in zip(full.im_files, full.labels, strict=True)}
    for file, rows in zip(train.im_files, train.labels, strict=True):
        np.testing.assert_array_equal(labels.pop(Path(file).name), rows)
    val = store.images(read_data_yaml(silver_set), "val", ImagePolicy())
    assert {Path(file).name for file in val.files} == set(labels)
    for file, rows in zip(val.files, val.labels, strict=True):
        np.testing.assert_array_equal(labels[Path(file).name], rows)


def test_nothing_set_is_nothing_done(silver_set: Path, shapes: Path) -> None:
    for data in (silver_set, shapes):
        described, store = read_data_yaml(data), DataStore()
        images = store.images(described, "train", ImagePolicy())
        assert silver_images(settings(data), described, images) == (images, None)
        assert set_up(settings(data), Hyp(), store).train.dataset.bank.whole is store.bank(
            described, "train", 64, augmented=True
        )


@pytest.mark.parametrize("name", list(SILVER))
def test_a_data_set_without_silver_labels_is_named(name: str, shapes: Path) -> None:
    value = getattr(SilverRule(), SILVER[name])
    with pytest.raises(InputError, match=rf"train\.{name} is set and there is no .*silver\.parquet"):
        preflight(settings(shapes, **{name: value}), Hyp())
    with pytest.raises(InputError, match=rf"train\.{name} is set"):
        EpochLoop(settings(shapes, **{name: value}), Hyp())


def test_a_confidence_below_the_floor_and_a_gold_split_are_named(silver_set: Path) -> None:
    with pytest.raises(InputError, match=r"train\.silver_confidence is 0\.0001 and the candidates .* begin at 0\.0005"):
        preflight(settings(silver_set, silver_confidence=0.0001), Hyp())
    with pytest.raises(InputError, match=r"train\.silver_iou is set and train\.train_split is `gold`"):
        preflight(settings(silver_set, silver_iou=0.5, train_split="gold"), Hyp())


@pytest.mark.parametrize("how", ["gone", "short", "other", "manifest"])
def test_damaged_candidates_are_named(silver_set: Path, tmp_path: Path, how: str) -> None:
    shutil.copytree(silver_set.parent, tmp_path / "set")
    file = tmp_path / "set" / "silver.parquet"
    if how == "gone":
        file.unlink()
    elif how == "short":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "other":
        file.write_bytes(b"PAR1")
    else:
        manifest = tmp_path / "set" / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"merge_iou"', '"merge"'))
    with pytest.raises(InputError, match=r"silver"):
        preflight(settings(tmp_path / "set" / "data.yaml", silver_iou=0.5), Hyp())


@pytest.mark.parametrize(
    "change", [{"silver_confidence": 1.0}, {"silver_iou": -0.1}, {"silver_min_boxes": 0}, {"silver_merge_iou": 0.0},
               {"silver_min_boxes": 2.5}, {"silver_confidence": True}],
)  # fmt: skip
def test_settings_out_of_range_are_named(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(InputError, match=rf"train\.{name} is .*: give a"):
        TrainSettings(data="data.yaml", epochs=1, **change)


def test_what_a_training_changes() -> None:
    assert settings(Path("d")).silver == {}
    made = settings(Path("d"), silver_iou=0.7, silver_min_boxes=4)
    assert made.silver == {"iou": 0.7, "min_boxes": 4}
    assert dataclasses.asdict(TrainSettings.from_mapping(made.as_dict())) == made.as_dict()


def test_candidates_of_another_data_set_are_refused(silver_set: Path, tmp_path: Path) -> None:
    shutil.copytree(silver_set.parent, tmp_path / "set")
    with writing(tmp_path / "set" / "silver.parquet", {"weights_sha256": "of others"}):
        pass
    with pytest.raises(InputError, match=r"silver_iou is set and there is no .*silver\.parquet"):
        preflight(settings(tmp_path / "set" / "data.yaml", silver_iou=0.5), Hyp())


def test_thresholds_that_leave_no_label_are_the_fault_of_their_trial_alone(silver_set: Path, tmp_path: Path) -> None:
    shutil.copytree(silver_set.parent, tmp_path / "set")
    file = tmp_path / "set" / "silver.parquet"
    about, pictures = read_about(file), list(read_pictures(file))
    with writing(file, about or {}) as writer:
        for picture in pictures:
            writer.add(picture._replace(labels=picture.labels[:0]))
    with pytest.raises(InputError, match="with the silver thresholds min_boxes 300 no image has a label") as caught:
        dataset(tmp_path / "set" / "data.yaml", DataStore(), silver_min_boxes=300)
    assert kind_of(caught.value) not in SHARED
