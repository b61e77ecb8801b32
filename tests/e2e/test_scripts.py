"""The scripts as a user runs them: serve, serve again, identify, scale, stop; and wrong archives."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from server.archives import ModelSource, build_model, build_workflow
from server.bootstrap import ROOT
from server.configuration import PORT_COUNT, Settings, free_ports, recall
from server.instance import StartError, start, stop, wait_until_ready
from tests.e2e.conftest import SAMPLE

Script = Callable[..., subprocess.CompletedProcess[str]]
SAMPLES = [str(ROOT / "samples" / name) for name in ("drawn_goldfish.jpg", "drawn_fish.jpg")]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def script(home: Path) -> Script:
    """Run a script of the repository; its first `java` on the PATH fails, as on a machine without."""
    (home / "bin").mkdir()
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'there is no Java here' >&2\nexit 127\n")
    (home / "bin" / "java").chmod(0o755)
    environment = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}

    def run(name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "scripts" / name), *arguments, "--home", str(home)]
        given = {**environment, **variables}
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=300, check=False)

    return run


@pytest.fixture(scope="module")
def served(home: Path, script: Script) -> Iterator[Path]:
    """A server that scripts/serve has started."""
    done = serve(home, script)
    assert done.returncode == 0, done.stderr
    assert "Gold Fish" in done.stdout
    assert "/wfpredict/fish" in done.stdout
    first_address = done.stdout[done.stdout.index("http://") :].split()[0]
    assert first_address == recall(home).gateway_url
    assert "building expert.mar" in done.stderr
    yield home
    script("stop")


def serve(home: Path, script: Script, **variables: str) -> subprocess.CompletedProcess[str]:
    port = recall(home).ports.inference if (home / "server.json").exists() else neighbouring_free_ports()
    arguments = ("--device", "cpu", "--store", str(home / "store"), "--base-port", str(port))
    return script("serve", *arguments, **variables)


def neighbouring_free_ports() -> int:
    """Return the first of so many neighbouring ports that are free."""
    for first in range(20_000, 60_000, PORT_COUNT):
        with_sockets = [socket.socket() for _ in range(PORT_COUNT)]
        try:
            for offset, one in enumerate(with_sockets):
                one.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        else:
            return first
        finally:
            for one in with_sockets:
                one.close()
    raise AssertionError("no free ports beside each other")


def test_serve_again_changes_nothing(served: Path, script: Script) -> None:
    pid = int((served / "tmp" / ".model_server.pid").read_text())
    gateway = (served / "gateway.json").read_text()
    done = serve(served, script)
    assert done.returncode == 0, done.stderr
    assert "building" not in done.stderr
    assert "starting" not in done.stderr
    assert int((served / "tmp" / ".model_server.pid").read_text()) == pid
    assert (served / "gateway.json").read_text() == gateway


def test_the_gateway_answers_and_a_new_setting_restarts_it_alone(served: Path, script: Script) -> None:
    url = recall(served).gateway_url
    assert requests.post(f"{url}/v1/identify", data=SAMPLE, timeout=60).json()["label"] == "Gold Fish"
    pid = int((served / "tmp" / ".model_server.pid").read_text())
    done = serve(served, script, FISHGATE_GATEWAY_BATCH_PICTURES="77")
    assert "starting the gateway" in done.stderr
    assert "starting TorchServe" not in done.stderr
    assert int((served / "tmp" / ".model_server.pid").read_text()) == pid
    assert requests.post(f"{url}/v1/identify", data=SAMPLE, timeout=60).ok


def test_identify_prints_one_json_a_line_in_order(served: Path, script: Script, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    done = script("identify", "--json", "--top-k", "1", SAMPLES[0], str(bad), str(tmp_path / "none.jpg"), SAMPLES[1])
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert [reply.get("error", {}).get("code") for reply in replies] == [
        None,
        "unsupported_image",
        "unreadable_file",
        None,
    ]
    assert replies[0]["label"] == "Gold Fish"
    assert len(replies[0]["candidates"]) == 1
    assert done.returncode == 1


def test_identify_prints_a_table(served: Path, script: Script) -> None:
    done = script("identify", *SAMPLES)
    assert done.returncode == 0, done.stderr
    for word in ("picture", "confidence", "Gold Fish", "Carassius auratus", "drawn_fish.jpg"):
        assert word in done.stdout


def test_scale_shows_what_came_of_it(served: Path, script: Script) -> None:
    done = script("scale", "zero_shot", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("READY") == 2
    assert script("scale", "zero_shot", "1").stdout.count("READY") == 1


def test_scale_to_nothing_is_refused(served: Path, script: Script) -> None:
    done = script("scale", "zero_shot", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr


def test_stop_leaves_no_process_behind(served: Path, script: Script) -> None:
    java = psutil.Process(int((served / "tmp" / ".model_server.pid").read_text()))
    gateway = psutil.Process(json.loads((served / "gateway.json").read_text())["pid"])
    family = [java, *java.children(recursive=True), gateway]
    assert len(family) >= 5
    assert "stopped" in script("stop").stdout
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
    assert "not running" in script("stop").stdout


def test_foreground_ends_cleanly_when_told_to(served: Path, script: Script) -> None:
    script("stop")
    port = str(recall(served).ports.inference)
    command = [sys.executable, str(ROOT / "scripts" / "serve"), "--foreground", "--device", "cpu"]
    command += ["--home", str(served), "--store", str(served / "store"), "--base-port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("try " in line for line in process.stdout), "it never said how to use it"
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert process.wait(60) == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family)
    assert "not running" in script("stop").stdout


def test_identify_without_server_says_what_to_do(served: Path, script: Script) -> None:
    script("stop")
    done = script("identify", SAMPLES[0])
    assert done.returncode == 2
    assert "scripts/serve" in done.stderr


def test_workers_whose_server_was_killed_are_stopped_too(served: Path, script: Script) -> None:
    assert serve(served, script).returncode == 0
    java = psutil.Process(int((served / "tmp" / ".model_server.pid").read_text()))
    workers = java.children(recursive=True)
    java.kill()
    java.wait(10)
    script("stop")
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in workers)


WRONG_CARDS = {
    "labels off by one": (lambda card: card.update(labels=shifted(card["labels"])), "exactly 0 … n-1"),
    "another file's hash": (lambda card: card["weights"].update(sha256="0" * 64), "restore the file or write the card"),
}


def shifted(labels: dict[str, object]) -> dict[str, object]:
    return {str(int(index) + 1): label for index, label in labels.items()}


@pytest.mark.parametrize(("name", "model"), [*zip(WRONG_CARDS, ("expert", "zero_shot"), strict=True)])
def test_wrong_archive_is_refused_with_a_message(tmp_path: Path, name: str, model: str) -> None:
    change, message = WRONG_CARDS[name]
    store, wrong = tmp_path / "store", tmp_path / "wrong"
    store.mkdir()
    demo = ROOT / "models" / model / "demo"
    shutil.copytree(demo, wrong)
    card = json.loads((demo / "model_card.json").read_text())
    change(card)
    (wrong / "model_card.json").write_text(json.dumps(card))
    build_store(store, {model: wrong})
    said = start_and_fail(Settings(home=tmp_path, store=store, ports=free_ports()))
    assert message in said
    assert f"{model} is not served" in said


def build_store(store: Path, wrong: dict[str, Path]) -> None:
    for name in ("expert", "zero_shot", "router"):
        folder = None if name == "router" else wrong.get(name, ROOT / "models" / name / "demo")
        config = ROOT / "models" / name / "model-config.cpu.yaml"
        build_model(store, ModelSource(name, ROOT / "handlers" / f"{name}_handler.py", config, folder))
    build_workflow(store, ROOT / "handlers" / "fish.cpu.yaml")


def start_and_fail(settings: Settings) -> str:
    """Start a server that must not come up; return the message."""
    java = start(settings)
    try:
        with pytest.raises(StartError) as caught:
            wait_until_ready(settings, java, SAMPLE, limit_s=240, say=lambda text: None)
    finally:
        stop(settings)
    return str(caught.value)
