"""Threads and start of TorchServe's process are those that the system tells, and not asked for with every batch."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handlers.adaptors.java_process import JavaProcess
from handlers.adaptors.torchserve import TorchServeMeter
from tests.handlers.fake_torchserve import FakeContext

NAME = "fishgate_java_threads"
STARTED = "fishgate_java_started_seconds"
FOUR_THREADS = """
import sys, threading
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def running_java(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process of the name ``java`` with four threads."""
    program = folder / "java"
    if not program.exists():
        program.symlink_to(sys.executable)
    command = [str(program), "-S", "-c", FOUR_THREADS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.fixture
def java(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with running_java(tmp_path) as process:
        yield process


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return FakeContext(tmp_path)


def test_all_threads_are_counted(java: subprocess.Popen[str], context: FakeContext) -> None:
    JavaProcess(TorchServeMeter(context), pid=java.pid).tell()
    assert context.metrics.values(NAME) == [(4, {})]


def test_its_start_is_the_same_for_every_worker_and_another_when_it_is_started_anew(
    tmp_path: Path, java: subprocess.Popen[str], context: FakeContext
) -> None:
    for _ in range(2):
        JavaProcess(TorchServeMeter(context), pid=java.pid).tell()
    with running_java(tmp_path) as anew:
        JavaProcess(TorchServeMeter(context), pid=anew.pid).tell()
    first, again, later = (seconds for seconds, _ in context.metrics.values(STARTED))
    assert 0.0 < first == again < later


@pytest.mark.parametrize(("every_s", "told"), [(3600.0, 1), (0.0, 3)], ids=["now and then", "each time"])
def test_they_are_not_counted_with_every_batch(
    java: subprocess.Popen[str], context: FakeContext, every_s: float, told: int
) -> None:
    threads = JavaProcess(TorchServeMeter(context), pid=java.pid, every_s=every_s)
    for _ in range(3):
        threads.tell()
    assert len(context.metrics.values(NAME)) == len(context.metrics.values(STARTED)) == told


def test_another_parent_is_not_taken_for_java(context: FakeContext, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        JavaProcess(TorchServeMeter(context), pid=os.getpid()).tell()
    assert context.metrics.values(NAME) == context.metrics.values(STARTED) == []
    assert "should be java, is" in caplog.text


def test_a_batch_outlives_the_end_of_java(
    java: subprocess.Popen[str], context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    threads = JavaProcess(TorchServeMeter(context), pid=java.pid)
    java.kill()
    java.wait()
    with caplog.at_level(logging.WARNING):
        threads.tell()
    assert context.metrics.values(NAME) == []
    assert "cannot be counted" in caplog.text
