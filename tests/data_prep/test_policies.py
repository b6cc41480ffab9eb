from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_prep.findings import SEVERITIES, Kind, Policy
from data_prep.policies import Policies

DOCS = Path(__file__).resolve().parents[2] / "docs" / "data.md"
TABLE = re.findall(r"^\| `(\w+)`[^|]*\| (\w+) \| ([^|]*)\|", DOCS.read_text(), re.MULTILINE)
DOCUMENTED = {key: (severity, [word for word in Policy if word in text]) for key, severity, text in TABLE}


@pytest.mark.parametrize("kind", list(Kind))
def test_docs_name_severity_and_policies_of_every_kind(kind: Kind) -> None:
    severity, documented = DOCUMENTED[kind]
    assert severity == SEVERITIES[kind]
    assert set(documented) == {policy for policy in Policy if allows(kind, policy)}


def allows(kind: Kind, policy: Policy) -> bool:
    try:
        return kind in Policies.model_validate({kind.value: policy.value}).model_fields_set
    except ValidationError:
        return False


@pytest.mark.parametrize("kind", [Kind(key) for key in Policies.model_fields])
def test_docs_name_the_default_first(kind: Kind) -> None:
    (text,) = (text for key, _, text in TABLE if key == kind)
    usual: dict[Kind, Policy] = {}
    first = text.split(",")[0].split(":")[-1].strip()  # of an image without label: `aihub, voc: fail`
    assert Policies().of(kind, usual) == (Policy.FAIL if kind is Kind.IMAGE_WITHOUT_LABEL else first)


def test_reader_speaks_only_where_the_user_says_nothing() -> None:
    usual = {Kind.IMAGE_WITHOUT_LABEL: Policy.KEEP, Kind.CROWD_BOX: Policy.FAIL}
    assert Policies().of(Kind.IMAGE_WITHOUT_LABEL, usual) is Policy.KEEP
    assert Policies(image_without_label=Policy.DROP).of(Kind.IMAGE_WITHOUT_LABEL, usual) is Policy.DROP
    assert Policies().of(Kind.CROWD_BOX, usual) is Policy.DROP


def test_a_kind_that_no_policy_can_change_is_kept() -> None:
    assert Policies().of(Kind.IGNORED_FIELD, {}) is Policy.KEEP
