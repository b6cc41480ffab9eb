from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.dataset import read_data_yaml
from data_prep.errors import WorkFailedError
from tests.shapes import draw_shapes
from trainable.batches import EpochBatches
from trainable.dataset import DataStore, YoloDataset
from trainable.image_bank import ImagePolicy

UNCACHED = ImagePolicy("none")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_is_gone_is_one_sentence_whoever_loads_it(tmp_path: Path, workers: int) -> None:
    data = read_data_yaml(draw_shapes(tmp_path, train=4, val=2, seed=0))
    store = DataStore()
    images = store.images(data, "train", UNCACHED)
    bank = store.bank(data, "train", 64, augmented=False, policy=UNCACHED)
    dataset = YoloDataset(images, bank, image_size=64, batch_size=2, hyp=None)
    Path(images.files[0]).unlink()

    with pytest.raises(WorkFailedError) as caught:
        list(EpochBatches(dataset, 2, shuffle=False, workers=workers).epoch(0))

    assert str(caught.value).startswith(f"{images.files[0]}: ")
    assert str(caught.value).isprintable()
