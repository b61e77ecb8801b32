"""The health check: only an answer is health, and it says what came instead."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from server.configuration import Ports, Settings
from server.health import Unhealthy, check, check_gateway, check_torchserve, fresh
from tests.conftest import ROOT

SAMPLE = (ROOT / "samples" / "drawn_goldfish.jpg").read_bytes()
GATEWAY, READY, WORKFLOW, EXPERT = "/v1/identify", "/readyz", "/wfpredict/fish", "/predictions/fish__expert"
ANSWER = {"label": "Gold Fish", "candidates": [{"label": "Gold Fish"}]}
UNSURE = {"label": None, "candidates": [{"label": "Tilapia"}]}
NO_KEY = {"error": {"status": 401, "code": "unauthorised", "message": "an API key is needed"}}
GONE = {"code": 503, "type": "ServiceUnavailableException", "message": "no worker"}


@dataclass
class StandIn:
    """Gateway and TorchServe on one port: what it replies by path, and what it was sent."""

    port: int
    replies: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)

    def settings(self, tmp_path: Path, **more: Any) -> Settings:
        return Settings(home=tmp_path, ports=Ports(inference=self.port, gateway=self.port), has_tokens=False, **more)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            told.pictures.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            told.asked.append((self.path, self.headers.get("Authorization")))
            status, value = told.replies.get(self.path, (404, GONE))
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = reply  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told = StandIn(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield told
        server.shutdown()


def test_with_a_key_the_gateway_is_asked_and_nobody_else(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.replies[GATEWAY] = (200, ANSWER)
    settings = stand_in.settings(tmp_path)
    assert check(settings, SAMPLE, key="the key", timeout_s=10) == "Gold Fish"
    assert stand_in.asked == [(GATEWAY, "Bearer the key")]
    assert stand_in.pictures == [SAMPLE]


def test_where_a_key_is_wanted_and_none_is_given_the_models_are_asked(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.replies |= {GATEWAY: (401, NO_KEY), READY: (200, {}), WORKFLOW: (200, ANSWER)}
    assert check(stand_in.settings(tmp_path), SAMPLE, key=None, timeout_s=10) == "Gold Fish"
    assert [path for path, _ in stand_in.asked] == [GATEWAY, READY, WORKFLOW]


def test_without_a_gateway_the_model_that_is_served_is_asked(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.replies[EXPERT] = (200, {"source": "expert", **UNSURE})
    settings = stand_in.settings(tmp_path, has_gateway=False, models="expert")
    assert check(settings, SAMPLE, key=None, timeout_s=10) == "Tilapia"


def test_an_unsure_answer_is_an_answer(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.replies[GATEWAY] = (200, UNSURE)
    assert check(stand_in.settings(tmp_path), SAMPLE, key=None, timeout_s=10) == "Tilapia"


TROUBLES = {  # what is replied, and what the check says
    "a key that is refused": ({GATEWAY: (401, NO_KEY)}, "secret", "the gateway answered 401"),
    "a gateway that is too busy": ({GATEWAY: (503, {"error": {"code": "overloaded"}})}, None, "503.*overloaded"),
    "a gateway that is not ready": ({GATEWAY: (401, NO_KEY), READY: (503, GONE)}, None, "answered 503.*no worker"),
    "no model behind": ({GATEWAY: (401, NO_KEY), READY: (200, {}), WORKFLOW: (503, GONE)}, None, "instead.*no worker"),
    "something else on the port": ({GATEWAY: (200, b"<html>")}, None, "cannot be read: '<html>'"),
    "an answer without a fish": ({GATEWAY: (200, {"status": "ok"})}, None, "this is no answer: {'status': 'ok'}"),
}


@pytest.mark.parametrize(("replies", "key", "said"), TROUBLES.values(), ids=TROUBLES)
def test_whatever_is_no_answer_is_unhealthy(
    stand_in: StandIn, tmp_path: Path, replies: dict[str, tuple[int, Any]], key: str | None, said: str
) -> None:
    stand_in.replies |= replies
    with pytest.raises(Unhealthy, match=said) as caught:
        check(stand_in.settings(tmp_path), SAMPLE, key=key, timeout_s=10)
    assert "secret" not in str(caught.value)


def test_nobody_there_is_unhealthy(tmp_path: Path) -> None:
    nobody = Settings(home=tmp_path, ports=Ports(inference=9, gateway=9), has_tokens=False)
    with pytest.raises(Unhealthy, match=r"the gateway cannot be reached at http://127\.0\.0\.1:9"):
        check_gateway(nobody.gateway_url, SAMPLE, key=None, timeout_s=10)
    with pytest.raises(Unhealthy, match="TorchServe cannot be reached"):
        check_torchserve(nobody, SAMPLE, model="expert", timeout_s=10)


def test_a_fresh_picture_is_the_same_picture_in_another_file() -> None:
    first, second = fresh(SAMPLE), fresh(SAMPLE)
    assert len({SAMPLE, first, second}) == 3
    pixels = {Image.open(io.BytesIO(file)).convert("RGB").tobytes() for file in (SAMPLE, first, second)}
    assert len(pixels) == 1
