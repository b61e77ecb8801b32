"""The threads of TorchServe's process are counted as the system counts them, and not with every batch."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.adaptors.java_threads import JavaThreads
from handlers.adaptors.torchserve import TorchServeMeter
from tests.handlers.fake_torchserve import FakeContext

NAME = "fishgate_java_threads"
FOUR_THREADS = """
import sys, threading
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def java(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of the name ``java`` with four threads."""
    (tmp_path / "java").symlink_to(sys.executable)
    command = [str(tmp_path / "java"), "-S", "-c", FOUR_THREADS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return FakeContext(tmp_path)


def test_all_threads_are_counted(java: subprocess.Popen[str], context: FakeContext) -> None:
    JavaThreads(TorchServeMeter(context), pid=java.pid).tell()
    assert context.metrics.values(NAME) == [(4, {})]


@pytest.mark.parametrize(("every_s", "told"), [(3600.0, 1), (0.0, 3)], ids=["now and then", "each time"])
def test_they_are_not_counted_with_every_batch(
    java: subprocess.Popen[str], context: FakeContext, every_s: float, told: int
) -> None:
    threads = JavaThreads(TorchServeMeter(context), pid=java.pid, every_s=every_s)
    for _ in range(3):
        threads.tell()
    assert len(context.metrics.values(NAME)) == told


def test_another_parent_is_not_taken_for_java(context: FakeContext, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        JavaThreads(TorchServeMeter(context), pid=os.getpid()).tell()
    assert context.metrics.values(NAME) == []
    assert "should be java, is" in caplog.text


def test_a_batch_outlives_the_end_of_java(
    java: subprocess.Popen[str], context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    threads = JavaThreads(TorchServeMeter(context), pid=java.pid)
    java.kill()
    java.wait()
    with caplog.at_level(logging.WARNING):
        threads.tell()
    assert context.metrics.values(NAME) == []
    assert "cannot be counted" in caplog.text
