"""Small raw data sets in every form that the readers must understand."""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from data_prep.config import PrepareConfig


PIG_IMAGES, PIG_LABELS = "[원천]돼지_bbox.zip", "[라벨]돼지_bbox.zip"
COW_IMAGES, COW_LABELS = "[원천]소_bbox.zip", "[라벨]소_bbox.zip"


class Cp949ZipInfo(zipfile.ZipInfo):
    """A member whose name is stored as Korean Windows does: CP949, without the UTF-8 flag."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own hook
        return self.filename.encode("cp949"), self.flag_bits & ~0x800


def jpeg(width: int = 64, height: int = 36, exif_orientation: int | None = None, shade: int = 90) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    if exif_orientation:
        exif[0x0112] = exif_orientation
    Image.new("RGB", (width, height), (shade, 120, 60)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def label(*boxes: tuple[float, float, float, float], category_id: int = 2, size: tuple[int, int] = (64, 36)) -> bytes:
    annotations = [{"bbox": list(box), "category_id": category_id} for box in boxes]
    image = {"width": size[0], "height": size[1]}
    categories = [{"id": 2, "name": "cow"}]
    content = {"label_info": {"image": image, "annotations": annotations, "categories": categories}}
    return json.dumps(content).encode()


def write_zip(path: Path, members: Mapping[str, bytes], *, cp949: bool = False) -> None:
    kind = Cp949ZipInfo if cp949 else zipfile.ZipInfo
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(kind(name), content)


def write_archives(folder: Path, *, form: str = "NFC", cp949: bool = False, count: int = 6) -> Path:
    """Write ``count`` pig and ``count`` cow pictures, each with one box, the Korean names in Unicode ``form``."""
    folder.mkdir(parents=True, exist_ok=True)
    for species, images, labels in (("pig", PIG_IMAGES, PIG_LABELS), ("cow", COW_IMAGES, COW_LABELS)):
        stems = [f"가축/livestock_{species}_bbox_{number:06d}" for number in range(count)]
        pictures = {f"{stem}.jpg": jpeg(shade=number) for number, stem in enumerate(stems)}
        texts = {f"{stem}.json": label((4, 5, 24, 15)) for stem in stems}
        write_zip(folder / unicodedata.normalize(form, images), pictures, cp949=cp949)
        write_zip(folder / unicodedata.normalize(form, labels), texts, cp949=cp949)
    return folder


def write_yolo(folder: Path, counts: Mapping[str, int], *, names: str = "[cow, pig]") -> Path:
    """Write a stock YOLO data set with one box per picture; returns its data.yaml."""
    rng = np.random.default_rng(3)
    for split, count in counts.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / "images" / split / f"{split}_{number:03d}.jpg").write_bytes(jpeg(shade=number))
            row = f"{rng.integers(2)} 0.5 0.5 0.25 0.5\n"
            (folder / "labels" / split / f"{split}_{number:03d}.txt").write_text(row)
    lines = [f"{split}: images/{split}" for split in counts]
    (folder / "data.yaml").write_text("\n".join([*lines, "nc: 2", f"names: {names}", ""]))
    return folder / "data.yaml"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def herd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn herd of 60 pictures as the four archives."""
    from data_prep.synthetic import draw_herd

    folder = tmp_path_factory.mktemp("herd")
    draw_herd(folder, images=60, seed=5)
    return folder


@pytest.fixture
def herd_config(herd: Path) -> PrepareConfig:
    from data_prep.config import PrepareConfig
    from data_prep.readers import AihubReader

    return PrepareConfig(source=AihubReader(folder=herd), count_bins={"pig": (8, 13), "cow": (4, 6)})
