from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_prep.limits import Limits

DOCS = Path(__file__).resolve().parents[2] / "docs" / "data.md"
UNITS = {"": 1, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def test_docs_name_every_limit_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) ?(\w*) \|", DOCS.read_text().split("## Limits")[1], re.MULTILINE)
    documented = {key: int(number.replace(",", "")) * UNITS[unit] for key, number, unit in rows}
    assert documented == Limits().model_dump()


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
@pytest.mark.parametrize("key", list(Limits.model_fields))
def test_no_limit_can_be_lifted_altogether(key: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate({key: value})
