"""The real Prometheus reads the real TorchServe: what it can tell of threads, of its start, and of workers that end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.deployments import java_of, worker_pids
from server.management import TorchServe
from tests.deploy.prometheus_parts import (
    Expression,
    Prometheus,
    expressions,
    running_prometheus,
    shorter,
    write_configuration,
)
from tests.deploy.prometheus_tools import tools
from tests.e2e.conftest import SAMPLE

NOBODY = "127.0.0.1:9"
TORCHSERVE_SERIES = (
    "fishgate_batches_total",
    "fishgate_java_started_seconds",
    "fishgate_java_threads",
    "PredictionTime",
    "Requests2XX",
    "WorkerLoadTime",
)
SAID_BY_TORCHSERVE = [one for one in expressions() if any(name in one.text for name in TORCHSERVE_SERIES)]


@pytest.fixture(scope="module")
def prometheus(paced: TorchServe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that watches TorchServe alone; there is no gateway where it looks for one."""
    tools()
    folder: Path = tmp_path_factory.mktemp("prometheus")
    address = paced.settings.metrics_url.removeprefix("http://").removesuffix("/metrics")
    configuration = write_configuration(folder, gateway=NOBODY, torchserve=address, is_short=True)
    with running_prometheus(configuration, folder / "data") as running:
        running.until(lambda: running.targets().get("fishgate-torchserve") == ("up", ""), "TorchServe is read")
        yield running


def test_threads_of_java_are_those_that_the_system_counts(paced: TorchServe, prometheus: Prometheus) -> None:
    java = java_of(paced)

    def is_right() -> bool:
        paced.identify(SAMPLE)
        return abs(prometheus.value("fishgate_java_threads") - java.num_threads()) <= 5  # they come and go

    prometheus.until(is_right, "the threads are told")


def test_its_start_is_the_one_that_the_system_knows(paced: TorchServe, prometheus: Prometheus) -> None:
    paced.identify(SAMPLE)
    started_s = round(java_of(paced).create_time() - psutil.boot_time(), 2)
    prometheus.until(lambda: prometheus.value("fishgate_java_started_seconds") == started_s, "the start is told")


def test_a_worker_that_was_killed_is_a_restart_of_its_model_alone(paced: TorchServe, prometheus: Prometheus) -> None:
    restarts = "fishgate:worker_restarts:count15m"
    prometheus.until(lambda: len(prometheus.query(restarts)) == 3, "three models have workers")
    assert {value for _, value in prometheus.query(restarts)} == {0.0}
    (pid,) = worker_pids(paced, "expert")
    psutil.Process(pid).send_signal(signal.SIGKILL)
    expected = {"fish__expert": 1.0, "fish__router": 0.0, "zero_shot": 0.0}
    prometheus.until(
        lambda: {labels["model"]: value for labels, value in prometheus.query(restarts)} == expected,
        f"restarts are {expected}",
        limit_s=120.0,
    )


@pytest.mark.parametrize("expression", SAID_BY_TORCHSERVE, ids=lambda one: one.where)
def test_expressions_about_torchserve_have_data(expression: Expression, prometheus: Prometheus) -> None:
    prometheus.until(lambda: bool(prometheus.query(shorter(expression.text))), expression.text, limit_s=20.0)


def test_a_gateway_that_does_not_answer_is_told_of(prometheus: Prometheus) -> None:
    prometheus.until(lambda: "FishgateDown" in prometheus.firing(), "the missing gateway is told of")
