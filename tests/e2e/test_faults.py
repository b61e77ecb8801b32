"""Things that break: zero-shot slow, overloaded or gone, workers killed under load."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.load import Run, send_many
from server.management import MODEL_NAMES, TorchServe
from tests.e2e.conftest import running_server


def drawn(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (128, 96), colour).save(buffer, "JPEG")
    return buffer.getvalue()


BRIGHT, DARK = drawn("white"), drawn("black")  # the paced expert is sure of the one, unsure of the other


def send(server: TorchServe, count: int, *, clients: int, deferred_every: int) -> Run:
    def picture_for(index: int) -> bytes:
        return DARK if deferred_every and index % deferred_every == 0 else BRIGHT

    url = f"{server.settings.url}/wfpredict/fish"
    token = server.token("inference")
    return asyncio.run(send_many(url, token, count=count, clients=clients, picture_for=picture_for))


def pid_of(server: TorchServe, model: str) -> int:
    return int(server.describe(model)["workers"][0]["pid"])


def wait_for_successor(server: TorchServe, model: str, pid: int) -> None:
    deadline_s = time.monotonic() + 120
    while True:
        worker = server.describe(model)["workers"][0]
        if int(worker["pid"]) not in (pid, -1) and worker["status"] == "READY":
            return
        assert time.monotonic() < deadline_s, f"TorchServe has not restarted {model}: {worker}"
        time.sleep(0.2)


@pytest.mark.parametrize("model", MODEL_NAMES)
def test_requests_survive_a_killed_worker(paced: TorchServe, model: str) -> None:
    pid = pid_of(paced, model)
    killer = threading.Timer(1.0, os.kill, (pid, signal.SIGKILL))
    killer.start()
    run = send(paced, 600, clients=16, deferred_every=10)
    killer.join()
    assert [sample.failure for sample in run.lost] == []
    wait_for_successor(paced, model, pid)
    assert paced.identify(DARK)["source"] == "zero_shot"


def test_confident_pictures_pass_while_deferred_ones_wait(paced: TorchServe) -> None:
    """Zero-shot takes 200 ms a batch; were it a node of the workflow, each would take that long."""
    run = send(paced, 400, clients=16, deferred_every=4)
    passed = [sample for sample in run.samples if sample.answer and not sample.answer["deferred"]]
    waited = [sample for sample in run.samples if sample.answer and sample.answer["deferred"]]
    assert (len(passed), len(waited)) == (300, 100)
    median = len(passed) // 2
    assert sorted(s.seconds for s in passed)[median] < sorted(s.seconds for s in waited)[len(waited) // 2]


def test_zero_shot_gone_gives_degraded_answers(paced: TorchServe) -> None:
    paced.scale("zero_shot", 0)
    try:
        answer = paced.identify(DARK)
        assert (answer["source"], answer["deferred"], answer["degraded"]) == ("expert", True, True)
        assert answer["low_confidence"]
        assert not paced.identify(BRIGHT)["degraded"]
    finally:
        paced.scale("zero_shot", 1)
    assert not paced.identify(DARK)["degraded"]


def test_zero_shot_overloaded_gives_degraded_answers_at_once(paced: TorchServe) -> None:
    """More pictures than may wait for it (64): the rest are answered by the expert, none is lost."""
    run = send(paced, 300, clients=150, deferred_every=1)
    assert [sample.failure for sample in run.lost] == []
    degraded = [sample for sample in run.samples if sample.answer and sample.answer["degraded"]]
    assert 0 < len(degraded) < 300


def test_zero_shot_too_slow_gives_degraded_answers(tmp_path: Path, paced_store: Path) -> None:
    """A stopped zero-shot process answers nothing; the router's time limit is 20 seconds."""
    with running_server(tmp_path, paced_store) as server:
        pid = pid_of(server, "zero_shot")
        os.kill(pid, signal.SIGSTOP)
        try:
            answer = server.identify(DARK)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (answer["source"], answer["degraded"]) == ("expert", True)


def test_no_picture_stays_in_the_spool(paced: TorchServe) -> None:
    """What a killed worker had laid down stays until it is swept; what is answered does not stay."""
    spool = paced.settings.temporary / "fishgate-spool"
    before = set(spool.iterdir())
    run = send(paced, 100, clients=16, deferred_every=1)
    assert run.lost == []
    assert set(spool.iterdir()) <= before
