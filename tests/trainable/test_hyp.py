from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data_prep.errors import InputError
from trainable.hyp import Hyp, format_hyp, read_hyp
from trainable.models import model_yaml


def test_defaults_are_those_of_yolov5() -> None:
    definition = model_yaml("yolov5n")
    assert definition is not None
    shipped = definition.parents[1] / "data" / "hyps" / "hyp.scratch-low.yaml"

    assert Hyp().as_dict() == yaml.safe_load(shipped.read_text(encoding="utf-8"))
    assert len(Hyp().as_dict()) == 28


@given(st.dictionaries(st.sampled_from(Hyp.names()), st.floats(0, 1e6), max_size=29))
def test_a_hyp_survives_its_yaml(values: dict[str, float]) -> None:
    hyp = Hyp.from_mapping(values)

    assert Hyp.from_mapping(yaml.safe_load(format_hyp(hyp, "two\nlines"))) == hyp


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("lr0: [1, 2]", "lr0"),
        ("lr0: .nan", "lr0"),
        ("lr0: -1", "lr0"),
        ("lr0: 1.0e+300", "lr0"),
        ("lr0: 1" + 400 * "0", "lr0"),
        ("momentun: 0.9", "did you mean `momentum`"),
        ("- 1", "no `key: value` pairs"),
        ("a: [", "no valid YAML"),
    ],
)
def test_wrong_hyp_files_are_named_with_the_key(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "hyp.yaml"
    path.write_text(text)

    with pytest.raises(InputError, match=r"hyp\.yaml") as raised:
        read_hyp(path)

    assert named in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.yaml"):
        read_hyp(tmp_path / "nothing.yaml")
