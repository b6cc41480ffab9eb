from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.errors import InputError
from search import runtime
from tests.search.conftest import ROOT


def test_the_three_rooms_are_what_is_shipped() -> None:
    folders = [Path(folder) for folder in runtime.package_folders(runtime.ROOMS)]
    assert [folder.name for folder in folders] == ["data_prep", "trainable", "search"]
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_room"):
        runtime.package_folders(["no_such_room"])


def test_ray_client_is_refused_with_a_way_out() -> None:
    with pytest.raises(InputError, match="ray job submit"), runtime.ray_runtime("ray://head:10001"):
        pass


def test_an_address_without_a_cluster_is_said_so_at_once() -> None:
    with (
        pytest.raises(InputError, match=r"--address 127\.0\.0\.1:1: no Ray cluster"),
        runtime.ray_runtime("127.0.0.1:1"),
    ):
        pass


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_PRINT_ALL_TRIAL_ERRORS", "1")
    before = dict(os.environ)
    with pytest.raises(InputError), runtime.ray_runtime("ray://head:10001"):
        pass
    assert dict(os.environ) == before


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("mode", "warned"), [("disabled", True), (None, False)])
def test_a_ray_without_a_token_is_pointed_out(tmp_path: Path, mode: str | None, warned: bool) -> None:
    code = (
        "from search.config import ResourcesConfig\nfrom search.node_checks import check_nodes\n"
        "from search.runtime import ray_runtime\n"
        "with ray_runtime(None):\n    check_nodes(ResourcesConfig(), {})\n"
    )
    inherited = {name: value for name, value in os.environ.items() if name not in ("RAY_AUTH_MODE", "RAY_ADDRESS")}
    environment = {**inherited, **({"RAY_AUTH_MODE": mode} if mode else {})}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("without token authentication" in done.stderr) is warned
