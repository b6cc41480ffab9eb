"""A data set of shapes, and its images as a renderer for a device wants them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data_prep.dataset import read_data_yaml
from tests.shapes import draw_shapes
from trainable.augment.render_device import DeviceBank
from trainable.dataset import DataStore, YoloDataset
from trainable.hyp import Hyp

SIZE = 96


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> YoloDataset:
    data = read_data_yaml(draw_shapes(tmp_path_factory.mktemp("shapes"), train=24, val=12, seed=3))
    store = DataStore()
    images, bank = store.images(data, "train"), store.bank(data, "train", SIZE, augmented=True)
    return YoloDataset(images, bank, image_size=SIZE, batch_size=8, hyp=Hyp().as_dict())


def plain_bank(dataset: YoloDataset) -> DeviceBank:
    images = [dataset.load_image(index)[0] for index in range(dataset.n)]
    ends = np.cumsum([image.size for image in images])
    return DeviceBank(
        torch.from_numpy(np.concatenate([image.ravel() for image in images])),
        ends - [image.size for image in images],
        np.array([image.shape[1] for image in images]),
    )
