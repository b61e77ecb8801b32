"""Where a model computes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fishgate import device
from fishgate.device import Device, choose_device, share_cores


@pytest.fixture
def threads_restored() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_worker_without_gpu_computes_on_the_cpu() -> None:
    assert choose_device(None) == Device("cpu")
    assert not choose_device(None).is_gpu


@pytest.mark.parametrize(("is_there", "name"), [(True, "cuda:1"), (False, "cpu")], ids=["a GPU", "no GPU"])
def test_an_assigned_gpu_is_used_if_it_is_there(monkeypatch: pytest.MonkeyPatch, is_there: bool, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_there)
    assert choose_device(1) == Device(name)


def test_a_forward_pass_on_the_cpu_stays_in_float32() -> None:
    with Device("cpu").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_forward_pass_on_a_gpu_runs_in_bfloat16() -> None:
    with Device("cuda:0").autocast():
        ones = torch.ones(2, 2, device="cuda:0")
        assert (ones @ ones).dtype == torch.bfloat16


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a container's limit stands; there is none yet."""
    monkeypatch.setattr(device, "CPU_LIMIT", tmp_path / "cpu.max")
    return tmp_path / "cpu.max"


@pytest.mark.parametrize(("cores", "workers", "threads"), [(8, 1, 8), (8, 3, 2), (2, 4, 1), (1, 1, 1), (4, 0, 4)])
@pytest.mark.usefixtures("threads_restored", "limit")
def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert share_cores(workers) == threads
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("told", "threads"),
    [("400000 100000", 4), ("250000 100000", 3), ("50000 100000", 1), ("6400000 100000", 8), ("max 100000", 8)],
)
@pytest.mark.usefixtures("threads_restored")
def test_a_container_has_no_more_threads_than_its_limit_lets_run(
    monkeypatch: pytest.MonkeyPatch, limit: Path, told: str, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    limit.write_text(f"{told}\n")
    assert share_cores(1) == threads
