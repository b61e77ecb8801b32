"""Workers of one model divide their cores, however many they are at the time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from handlers.adaptors import core_share
from handlers.adaptors.core_share import CoreShare


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch, temporary_folder: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr("fishgate.device.CPU_LIMIT", temporary_folder / "no limit")
    monkeypatch.setattr(core_share, "_LOOK_EVERY_S", 0.0)


@pytest.fixture
def sibling() -> Iterator[subprocess.Popen[bytes]]:
    """Another process that lives until the test ends it."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def beside(folder: Path, model: str, process_id: int) -> Path:
    file = folder / f"fishgate-workers-{os.getppid()}" / model / str(process_id)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def test_a_lone_worker_takes_all_cores_of_its_model() -> None:
    assert CoreShare("expert", share_cores_with=1).keep() == 8
    assert CoreShare("zero_shot", share_cores_with=2).keep() == 4
    assert torch.get_num_threads() == 4


def test_workers_divide_and_take_back_what_the_dead_had(
    temporary_folder: Path, sibling: subprocess.Popen[bytes]
) -> None:
    cores = CoreShare("expert", share_cores_with=1)
    file = beside(temporary_folder, "expert", sibling.pid)
    assert cores.keep() == 4
    sibling.kill()
    sibling.wait()
    assert cores.keep() == 8
    assert not file.exists()


def test_workers_of_another_model_do_not_count(temporary_folder: Path, sibling: subprocess.Popen[bytes]) -> None:
    beside(temporary_folder, "zero_shot", sibling.pid)
    assert CoreShare("expert", share_cores_with=1).keep() == 8


def test_more_workers_than_cores_have_a_thread_each(temporary_folder: Path, sibling: subprocess.Popen[bytes]) -> None:
    beside(temporary_folder, "expert", sibling.pid)
    assert CoreShare("expert", share_cores_with=20).keep() == 1


def test_a_folder_that_was_cleaned_away_fails_no_batch(temporary_folder: Path) -> None:
    cores = CoreShare("expert", share_cores_with=1)
    shutil.rmtree(temporary_folder / f"fishgate-workers-{os.getppid()}")
    assert cores.keep() == 8
