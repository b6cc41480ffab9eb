"""What a sweep's YAML can say about goals and limits."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_prep.errors import InputError
from search.config import load_sweep_config
from search.config_files import kept_files
from search.goals.config import ConstraintsConfig, Limit
from tests.search.conftest import SweepFiles

bounds = st.one_of(st.none(), st.floats(0, 100))


@given(bounds, bounds, st.floats(0, 200))
def test_excess_is_above_0_outside_and_only_there(low: float | None, high: float | None, value: float) -> None:
    try:
        limit = Limit(min=low, max=high)
    except ValidationError:
        assert (low is None and high is None) or (low is not None and high is not None and low > high)
        return

    inside = (low is None or value >= low) and (high is None or value <= high)
    assert (limit.excess(value) <= 0) == inside


def test_limits_are_those_that_were_set() -> None:
    set_ = ConstraintsConfig.model_validate({"gflops": {"max": 5}})

    assert {name: str(limit) for name, limit in set_.limits().items()} == {"gflops": "at most 5"}
    assert ConstraintsConfig().limits() == {}


@pytest.mark.parametrize(
    ("constraints", "named"),
    [
        ({"megabytes": {"max": 100}}, "megabytes"),
        ({"latency_ms": {"max": 5}}, "latency_ms"),  # nobody knows it before a training
        ({"gflops": {}}, "no bound"),
        ({"gflops": {"min": 5, "max": 4}}, "min is 5"),
        ({"gflops": {"max": -1}}, "gflops.max"),
    ],
)
def test_wrong_limits_are_named(files: SweepFiles, constraints: object, named: str) -> None:
    with pytest.raises(InputError, match=named):
        files.config(constraints=constraints)


def test_limits_are_kept_in_the_sweeps_folder_and_only_where_there_are_some(files: SweepFiles) -> None:
    config = files.config(constraints={"weights_megabytes": {"max": 100}})

    kept = yaml.safe_load(kept_files(config)["sweep.yaml"])

    assert kept["constraints"] == {"weights_megabytes": {"max": 100.0}}
    assert "constraints" not in yaml.safe_load(kept_files(files.config())["sweep.yaml"])
    (files.folder / "again.yaml").write_text(yaml.safe_dump({**kept, "space": "space.yaml"}))
    assert load_sweep_config(files.folder / "again.yaml").constraints == config.constraints
