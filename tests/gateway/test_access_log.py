"""The access log: nothing waits for the disk, and nothing is lost unnoticed."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from gateway import access_log
from gateway.access_log import AccessLog


def write(log: AccessLog, count: int) -> None:
    async def work() -> None:
        for number in range(count):
            log.line({"number": number, "none": None})
        log.close()

    asyncio.run(work())


def test_lines_are_json_in_order_without_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    write(AccessLog(str(path)), 500)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(500))
    assert set(lines[0]) == {"time", "number"}


def test_a_log_is_gone_on_with_and_not_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    for _ in range(2):
        write(AccessLog(str(path)), 3)
    assert len(path.read_text().splitlines()) == 6


def test_a_large_file_is_put_aside_and_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "access.log"

    async def work() -> None:
        log = AccessLog(str(path), most_bytes=1_000)
        for number in range(30):
            log.line({"number": number})
            log._flush()
            while log._chunks.qsize():
                await asyncio.sleep(0.001)
        log.close()

    asyncio.run(work())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["access.log", "access.log.1"]
    text = "".join((tmp_path / name).read_text() for name in ("access.log.1", "access.log"))
    lines = [json.loads(line)["number"] for line in text.splitlines()]
    assert lines == list(range(lines[0], 30))
    assert (tmp_path / "access.log.1").stat().st_size < 1_200


def test_a_line_break_cannot_be_smuggled_in(tmp_path: Path) -> None:
    path = tmp_path / "access.log"

    async def work() -> None:
        log = AccessLog(str(path))
        log.line({"path": '/a\n{"status":200}\u2028'})
        log.close()

    asyncio.run(work())
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["path"] == '/a\n{"status":200}\u2028'


def test_lines_are_written_without_being_closed(tmp_path: Path) -> None:
    path = tmp_path / "access.log"

    async def work() -> None:
        log = AccessLog(str(path))
        log.line({"number": 1})
        while not path.read_text():
            await asyncio.sleep(0.01)
        log.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_pipe_that_nobody_reads_stops_nobody_and_the_loss_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "_FLUSH_EVERY_S", 0.0)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    read: list[bytes] = []

    def drain() -> None:
        os.set_blocking(reading, True)
        while data := os.read(reading, 1 << 20):
            read.append(data)

    async def work() -> None:
        log = AccessLog(str(path))
        for number in range(3_000):  # far more than a pipe and the waiting chunks hold
            log.line({"number": number, "filler": "x" * 2_000})
            await asyncio.sleep(0)
        thread = threading.Thread(target=drain)
        thread.start()
        await asyncio.to_thread(log.close)
        await asyncio.to_thread(thread.join)

    asyncio.run(asyncio.wait_for(work(), 60))
    os.close(reading)
    lines = [json.loads(line) for line in b"".join(read).splitlines()]
    lost = sum(line.get("lines_lost", 0) for line in lines)
    assert lost > 0
    assert lost + sum("number" in line for line in lines) == 3_000


def test_an_empty_name_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(AccessLog(""), 5)
    assert list(tmp_path.iterdir()) == []
