"""A sweep on a cluster of two nodes (two raylets on this machine), one of which is taken away in mid-sweep."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from optuna.trial import TrialState
from ray.cluster_utils import Cluster

from data_prep.errors import InputError
from search.config import ResourcesConfig
from search.node_checks import check_nodes
from search.results import read_run
from search.runtime import ray_runtime
from search.sweep import Options, run_sweep
from tests.search.conftest import ROOT, SweepFiles
from tests.search.quadratic_trainable import QuadraticTrainable
from trainable.final import FinalTraining, train_final
from trainable.hyp import Hyp
from trainable.settings import TrainSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
EPOCHS = 8


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    try:
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()


def epochs_by_pid(files: SweepFiles) -> Counter[int]:
    return Counter(pid for _, _, pid in files.epochs())


def test_every_trial_ends_though_a_node_is_taken_away(cluster: Cluster, tmp_path: Path) -> None:
    files = SweepFiles(tmp_path)
    files.switch("sleep", "3")  # a busy machine takes its time to start the second worker: there must be work left
    config = files.config(
        trials=6, train={"epochs": EPOCHS, "model": "yolov5n"}, scheduler={"type": "none"}, storage_path="store"
    )
    (worker,) = cluster.worker_nodes
    failed: list[BaseException] = []

    def take_away() -> None:
        try:
            deadline = time.monotonic() + 120
            while len(epochs_by_pid(files)) < 2:
                assert time.monotonic() < deadline, "the second node never started"
                time.sleep(0.05)
            files.switch("sleep", "0.25")
            # Both nodes are at work once two processes have finished a few epochs each.
            while sum(count >= 4 for count in epochs_by_pid(files).values()) < 2:
                assert time.monotonic() < deadline, "the second node never trained"
                time.sleep(0.05)
            cluster.remove_node(worker, allow_graceful=False)
        except BaseException as error:
            failed.append(error)

    thief = threading.Thread(target=take_away)
    thief.start()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Ray runs without token authentication")
        result = run_sweep(config, files.run, Options(address=cluster.address, trainable=QuadraticTrainable))
    thief.join()
    assert not failed
    assert result.states == {"COMPLETE": 6}
    trials = read_run(files.run)[1].get_trials()
    assert all(t.state == TrialState.COMPLETE for t in trials)
    assert all(sorted(t.intermediate_values) == list(range(1, EPOCHS + 1)) for t in trials)
    trained = Counter((number, epoch) for number, epoch, _ in files.epochs())
    again = {key: count for key, count in trained.items() if count > 1}
    assert len({number for number, _ in again}) <= 1  # only the trial of the lost node
    assert len(again) <= 2  # the epoch in progress, and one whose checkpoint was not written
    moved = {number: {pid for n, _, pid in files.epochs() if n == number} for number in range(6)}
    assert sum(len(pids) == 2 for pids in moved.values()) == 1  # and that one went on in another process


@pytest.mark.exhaustive
def test_a_final_training_goes_on_with_the_workers_that_are_left(
    cluster: Cluster, shapes: Path, tmp_path: Path
) -> None:
    settings = TrainSettings(
        data=str(shapes), epochs=12, model="yolov5n", image_size=64, batch_size=8, nominal_batch_size=8,
        min_warmup_iterations=2, device="cpu", train_split="full", val_split=None,
    )  # fmt: skip
    heard: list[dict[str, object]] = []
    (node,) = cluster.worker_nodes

    def hear(metrics: dict[str, object]) -> None:
        heard.append(metrics)
        if len(heard) == 2:
            cluster.remove_node(node, allow_graceful=False)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Ray runs without token authentication")
        with ray_runtime(cluster.address):
            training = FinalTraining(settings, Hyp(), "final", str(tmp_path), workers=2)
            metrics = train_final(training, tmp_path / "w.pt", hear)

    assert (metrics["epoch"], metrics["workers"]) == (12, 1)
    assert [row["workers"] for row in heard[:2]] == [2, 2]
    assert sorted({row["epoch"] for row in heard}) == list(range(1, 13))
    assert len(heard) <= 13  # an epoch that was told and not yet stored may come again
    assert (tmp_path / "w.pt").stat().st_size > 1e6


def test_a_node_that_does_not_see_the_data_is_named_before_the_first_trial(cluster: Cluster, tmp_path: Path) -> None:
    SweepFiles(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ray_runtime(cluster.address):
            check_nodes(ResourcesConfig(), {"data": str(tmp_path / "data.yaml")})
            with pytest.raises(InputError, match=r"data: node .* cannot read .*elsewhere\.yaml"):
                check_nodes(ResourcesConfig(), {"data": str(tmp_path / "elsewhere.yaml")})
