"""The gateway before a real server: what people and programs really meet."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from server import gateway_process
from server.bootstrap import ROOT
from server.instance import running
from server.management import TorchServe
from tests.e2e.conftest import SAMPLE
from tests.e2e.test_workflow import ANSWER, API, ERROR, rounded

IDENTIFY = "/v1/identify"


@pytest.mark.parametrize("path", sorted((API / "examples").glob("*.json")), ids=lambda path: path.stem)
@pytest.mark.parametrize("place", ["form", "address"])
def test_documented_example_gives_the_documented_reply_with_its_status(gateway: str, path: Path, place: str) -> None:
    example = json.loads(path.read_text())
    picture = (ROOT / example["picture"]).read_bytes() if example["picture"] else b""
    if place == "form":
        files = {"data": ("picture", picture)}
        reply = requests.post(f"{gateway}{IDENTIFY}", files=files, data=example["form"], timeout=60)
    else:
        reply = requests.post(f"{gateway}{IDENTIFY}", data=picture, params=example["form"], timeout=60)
    expected = example["reply"]
    assert reply.status_code == expected.get("error", {}).get("status", 200)
    jsonschema.validate(reply.json(), ERROR if "error" in expected else ANSWER)
    assert rounded(reply.json()) == rounded(expected)


def test_a_batch_gives_the_same_answers_as_single_requests(gateway: str) -> None:
    files = [(path.name, path.read_bytes()) for path in sorted((ROOT / "samples").glob("*.jpg"))]
    files += [("bad.jpg", b"no picture"), ("again.jpg", SAMPLE)]
    single = [requests.post(f"{gateway}{IDENTIFY}", data=data, timeout=60).json() for _, data in files]
    reply = requests.post(f"{gateway}{IDENTIFY}/batch", files=[("data", file) for file in files], timeout=60)
    lines = [json.loads(line) for line in reply.content.splitlines()]
    assert [line["file"] for line in lines] == [name for name, _ in files]
    told = [line["answer"] if "answer" in line else {"error": line["error"]} for line in lines]
    assert [rounded(one) for one in told] == [rounded(one) for one in single]


def test_models_are_told_as_they_were_shipped(gateway: str) -> None:
    told = requests.get(f"{gateway}/v1/models", timeout=60).json()
    for kind in ("expert", "zero_shot"):
        shipped = json.loads((ROOT / "models" / kind / "demo" / "model_card.json").read_text())
        for name in ("name", "version", "labels", "metrics", "limits", "licence"):
            assert _without_nulls(told[kind][name]) == shipped[name], (kind, name)
    assert told["expert"]["gate"]["certificate"]["risk"] == 0.02


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return value


def test_species_are_those_of_both_models(gateway: str) -> None:
    species = requests.get(f"{gateway}/v1/species", timeout=60).json()["species"]
    by_expert = [one["label"] for one in species if "expert" in one["models"]]
    card = json.loads((ROOT / "models" / "expert" / "demo" / "model_card.json").read_text())
    assert by_expert == [card["labels"][str(number)]["label"] for number in range(len(card["labels"]))]
    assert any(one["models"] == ["zero_shot"] for one in species)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_every_command_of_the_documentation_works(gateway: str) -> None:
    page = requests.get(f"{gateway}/docs", timeout=60).text
    commands = [html.unescape(one) for one in re.findall(r'class="command">([^<]+)<', page)]
    assert len(commands) == 7
    for command in commands:
        done = subprocess.run(f"{command} --fail", shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, command
        assert done.stdout


def test_many_at_once_are_all_answered_and_counted(gateway: str) -> None:
    before = _answered(gateway)
    with ThreadPoolExecutor(12) as executor:
        # A comment behind the end of the picture makes each of them another one: no answer is remembered.
        replies = list(executor.map(lambda number: _post(gateway, SAMPLE + b"%d" % number), range(60)))
    assert {reply.status_code for reply in replies} == {200}
    assert {reply.json()["label"] for reply in replies} == {"Gold Fish"}
    assert _answered(gateway) - before == 60


def _post(gateway: str, picture: bytes) -> requests.Response:
    return requests.post(f"{gateway}{IDENTIFY}", data=picture, timeout=60)


def _answered(gateway: str) -> float:
    text = requests.get(f"{gateway}/metrics", timeout=60).text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return sum(one.value for one in samples if one.name == "fishgate_gateway_answers_total")


def test_the_page_and_its_files_are_there(gateway: str) -> None:
    page = requests.get(gateway, timeout=60)
    assert page.headers["content-type"].startswith("text/html")
    for path in set(re.findall(r'(?:src|href)="(page/[^"]+)"', page.text)):
        assert requests.get(f"{gateway}/{path}", timeout=60).status_code == 200, path


def test_stages_of_both_models_are_timed(gateway: str) -> None:
    reply = requests.post(f"{gateway}{IDENTIFY}?threshold=1", data=SAMPLE + b"timed", timeout=60)
    assert reply.json()["source"] == "zero_shot"
    told = dict(re.findall(r"(\w+);dur=([\d.]+)", reply.headers["server-timing"]))
    assert {"check", "expert_queue", "expert", "zero_shot_queue", "zero_shot", "total"} <= set(told)
    assert float(told["expert"]) > 0


def test_nothing_of_a_request_stands_in_the_log(gateway: str, demo: TorchServe) -> None:
    options = {"labels": '["Secretfish", "Northern pike"]'}
    requests.post(f"{gateway}{IDENTIFY}", data=SAMPLE, params=options, headers={"X-Request-Id": "logged"}, timeout=60)
    log = demo.settings.access_log
    while not (lines := [one for one in log.read_text().splitlines() if '"logged"' in one]):
        pass
    line = json.loads(lines[0])
    assert (line["status"], line["path"], line["source"]) == (200, IDENTIFY, "zero_shot")
    assert "Secretfish" not in log.read_text() + demo.settings.gateway_log.read_text()


def test_the_gateway_leaves_torchserve_alone_when_it_is_stopped(gateway: str, demo: TorchServe) -> None:
    settings = demo.settings
    java = running(settings)
    assert isinstance(java, psutil.Process)
    assert gateway_process.stop(settings)
    assert running(settings) == java
    assert demo.is_healthy()
    process = gateway_process.start(settings)
    gateway_process.wait_until_ready(settings, process, limit_s=120)
    assert _post(gateway, SAMPLE).ok
