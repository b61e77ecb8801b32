"""A real key goes through a real gateway and the real client; it is in no log and no process list afterwards."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
import requests

from gateway.keys import KEY_FILE, add_key
from gateway.redaction import HIDDEN, RedactingFormatter, without_keys
from gateway.rpc.generated import inference_pb2, inference_pb2_grpc
from server import gateway_process
from server.configuration import Settings, free_ports
from tests.conftest import ROOT
from tests.gateway.conftest import drawn
from tests.gateway.torchserve_stand_in import StandIn, running
from tests.secrets_search import files_that_show, processes_that_show

TOKEN = "TsTok3n-of-torchserve-which-nobody-may-see"


@dataclass(frozen=True)
class Served:
    """A gateway that asks for keys, with one key, before models that ask for a token."""

    settings: Settings
    models: StandIn
    key: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    key = add_key(home / KEY_FILE, "boat")
    with running(token=TOKEN) as models, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FISHGATE_GATEWAY_KEYS_REQUIRED", "true")
        patch.setenv("FISHGATE_KEY", key)  # a client's, in the shell from which the server is started
        settings = Settings(home=home, ports=replace(free_ports(), inference=models.port))
        models.write_key_file(settings.key_file)
        process = gateway_process.start(settings)
        try:
            gateway_process.wait_until_ready(settings, process, limit_s=120)
            yield Served(settings, models, key)
        finally:
            gateway_process.stop(settings, limit_s=20)


def test_the_gateway_does_not_inherit_the_key_of_a_client(served: Served) -> None:
    process = gateway_process.running(served.settings)
    assert process is not None
    assert "FISHGATE_KEY" not in process.environ()


@pytest.mark.parametrize("way", ["environment", "file"])
def test_the_client_shows_its_key_nowhere_while_it_asks(served: Served, tmp_path: Path, way: str) -> None:
    picture = tmp_path / "fish.png"
    picture.write_bytes(drawn(33 if way == "file" else 34))
    key_file = tmp_path / "key"
    key_file.write_text(served.key)
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "client")}
    out = ["--out", str(tmp_path / "results.csv"), "--sheet", str(tmp_path / "sheet.html")]
    command = [sys.executable, "-m", "fishgate_client", "--url", served.settings.gateway_url, *out, str(picture)]
    if way == "file":
        command += ["--key-file", str(key_file)]
    else:
        given["FISHGATE_KEY"] = served.key
    served.models.expert.hold.clear()
    before = len(served.models.expert.packets)
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        while len(served.models.expert.packets) == before:
            assert child.poll() is None, child.communicate()[0]
            threading.Event().wait(0.01)
        shown = processes_that_show(served.key) + processes_that_show(TOKEN)
        served.models.expert.hold.set()
        said, _ = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert shown == []
    assert served.key not in said
    assert files_that_show(served.key, tmp_path, but=("key",)) == []


def test_an_address_with_a_password_is_shown_without_it(tmp_path: Path) -> None:
    picture = tmp_path / "fish.png"
    picture.write_bytes(drawn())
    address = f"http://somebody:Passw0rd@127.0.0.1:{free_ports().gateway}"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "client"), "FISHGATE_URL": address}
    command = [sys.executable, "-m", "fishgate_client", "--json", str(picture)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "127.0.0.1" in done.stdout + done.stderr
    assert "Passw0rd" not in done.stdout + done.stderr


def test_keys_in_right_and_wrong_places_are_in_no_log(served: Served) -> None:
    url, key = f"{served.settings.gateway_url}/v1/identify", served.key
    bearer = {"Authorization": f"Bearer {key}"}
    statuses = [
        requests.post(address, data=drawn(), headers=headers, timeout=30).status_code
        for address, headers in (
            (url, bearer),
            (url, {"X-API-Key": key}),
            (url, {"Authorization": f"Bearer {key}x"}),  # mistyped
            (url, {"Authorization": key}),
            (f"{url}?key={key}", bearer),
            (f"{url}/{key}", bearer),
            (url, {**bearer, "X-Request-Id": key}),
            (url, {**bearer, "traceparent": key}),
        )
    ]
    assert statuses[:4] == [200, 200, 401, 401]
    asked_over_grpc(served)
    gateway_process.stop(served.settings, limit_s=20)  # which writes what is left of the logs
    lines = [json.loads(line) for line in served.settings.access_log.read_text().splitlines()]
    assert {line["status"] for line in lines} >= {200, 401, 404}
    assert f"/v1/identify/{HIDDEN}" in {line["path"] for line in lines}
    assert HIDDEN in {line["request_id"] for line in lines}
    assert "boat" in {line.get("key") for line in lines}
    assert files_that_show(key, served.settings.home) == []
    assert files_that_show(TOKEN, served.settings.home, but=(served.settings.key_file.name,)) == []


def asked_over_grpc(served: Served) -> None:
    """Ask once with the key, and once with a key of which too much was copied."""
    with grpc.insecure_channel(f"127.0.0.1:{served.settings.ports.gateway_grpc}") as channel:
        service = inference_pb2_grpc.InferenceAPIsServiceStub(channel)
        request = inference_pb2.PredictionsRequest(model_name="fish", input={"data": drawn()})
        service.Predictions(request, metadata=[("authorization", f"Bearer {served.key}")], timeout=30)
        with pytest.raises(grpc.RpcError) as caught:
            service.Predictions(request, metadata=[("x-api-key", f"{served.key}{served.key}")], timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert served.key not in caught.value.details()


def test_the_programs_own_log_hides_keys_in_tracebacks_too() -> None:
    formatter = RedactingFormatter("%(message)s")
    try:
        raise ValueError("fg_0123456789abcdef0123456789abcdef0123456789a is no number")
    except ValueError:
        record = logging.LogRecord("gateway", logging.ERROR, "", 0, "request failed", (), sys.exc_info())
    assert "fg_0123" not in formatter.format(record)
    assert f"ValueError: {HIDDEN} is no number" in formatter.format(record)


@pytest.mark.parametrize("text", ["", "/v1/identify", "fg_", "fg_boat", "cfg_name", "a fish"])
def test_what_is_no_key_stays_as_it_is(text: str) -> None:
    assert without_keys(text) == text


def test_a_key_that_was_cut_short_is_hidden_too(tmp_path: Path) -> None:
    key = add_key(tmp_path / KEY_FILE, "boat")
    assert without_keys(f"/v1/{key[:20]}") == f"/v1/{HIDDEN}"
