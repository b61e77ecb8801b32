"""The rendered configuration binds TorchServe to this machine and keeps strangers' archives out."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from server.bootstrap import ROOT
from server.configuration import (
    Ports,
    Settings,
    SettingsError,
    free_ports,
    recall,
    remember,
    taken_ports,
    write_files,
)

PORTS = Ports(18080, 18081, 18082, 17070, 17071, 18000, 17080)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", store=tmp_path / "store", ports=PORTS)


@pytest.fixture
def written(settings: Settings) -> dict[str, str]:
    """The rendered config.properties, comments left out."""
    lines = write_files(settings).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_place_is_filled_in(settings: Settings) -> None:
    assert "${" not in write_files(settings).read_text()


def test_every_address_is_the_loopback(written: dict[str, str]) -> None:
    addresses = {name: value for name, value in written.items() if name.endswith("_address")}
    assert len(addresses) == 5
    assert {re.sub(r"^http://|:\d+$", "", value) for value in addresses.values()} == {"127.0.0.1"}


def test_every_port_is_the_one_that_was_asked_for(written: dict[str, str]) -> None:
    assert written["inference_address"] == "http://127.0.0.1:18080"
    assert written["management_address"] == "http://127.0.0.1:18081"
    assert written["metrics_address"] == "http://127.0.0.1:18082"
    assert (written["grpc_inference_port"], written["grpc_management_port"]) == ("17070", "17071")


def test_every_call_needs_a_token(written: dict[str, str]) -> None:
    assert written["disable_token_authorization"] == "false"


def test_models_can_be_changed_while_it_runs_and_bring_no_requirements(written: dict[str, str]) -> None:
    assert written["enable_model_api"] == "true"
    assert written["install_py_dep_per_model"] == "false"


def test_archives_come_from_the_store_only(written: dict[str, str], settings: Settings) -> None:
    allowed = re.compile(written["allowed_urls"])
    assert allowed.fullmatch(f"file://{settings.store}/fish.war")
    for stranger in ("http://example.org/fish.war", "file:///etc/fish.war", f"file://{settings.store}.war"):
        assert not allowed.fullmatch(stranger)
    assert written["use_env_allowed_urls"] == "false"


def test_fields_arrive_as_bytes(written: dict[str, str]) -> None:
    assert written["decode_input_request"] == "false"


def test_metrics_and_log_configuration_lie_in_the_home(written: dict[str, str], settings: Settings) -> None:
    assert Path(written["metrics_config"]) == settings.home / "metrics.yaml"
    assert (settings.home / "metrics.yaml").is_file()
    assert (settings.home / "log4j2.xml").is_file()
    assert settings.temporary.is_dir()
    assert written["metrics_mode"] == "prometheus"


def test_a_request_may_be_larger_than_our_own_limit(written: dict[str, str]) -> None:
    from fishgate.images import DEFAULT_LIMITS

    assert int(written["max_request_size"]) > DEFAULT_LIMITS.max_bytes


def test_what_was_remembered_is_recalled(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        store=tmp_path / "store",
        ports=PORTS,
        pack="hub",
        device="gpu",
        own_lists=tmp_path / "own",
        host="0.0.0.0",
        has_gateway=False,
        torchserve_host="10.0.0.7",
        metrics_host="0.0.0.0",
        has_tokens=False,
        models="expert",
    )
    remember(settings)
    assert recall(tmp_path) == settings


def test_what_an_older_version_remembered_is_recalled(tmp_path: Path) -> None:
    remember(Settings(home=tmp_path, ports=PORTS))
    value = json.loads((tmp_path / "server.json").read_text())
    for newer in ("own_lists", "host", "has_gateway", "torchserve_host", "metrics_host", "has_tokens", "models"):
        del value[newer]
    for newer in ("gateway", "gateway_grpc"):
        del value["ports"][newer]
    (tmp_path / "server.json").write_text(json.dumps(value))
    assert recall(tmp_path) == Settings(home=tmp_path, ports=replace(PORTS, gateway=8000, gateway_grpc=7080))


TORN = {
    "half of it": '{"store": "/somewhere", "pa',
    "no object": "[]",
    "without ports": '{"store": "a", "pack": "b", "device": "c"}',
}


@pytest.mark.parametrize("text", TORN.values(), ids=TORN)
def test_what_cannot_be_recalled_is_named_with_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    with pytest.raises(SettingsError, match=r"server\.json is damaged .*; remove it, and call scripts/serve"):
        recall(tmp_path)


COMMANDS = (
    "serve",
    "stop",
    "scale expert 1",
    "healthcheck",
    "deploy_model --status",
    "identify samples/drawn_fish.jpg",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_script_ends_with_one_line_about_it(tmp_path: Path, command: str) -> None:
    (tmp_path / "server.json").write_text("{")
    script, *arguments = command.split()
    started = [sys.executable, f"scripts/{script}", *arguments, "--home", str(tmp_path)]
    done = subprocess.run(started, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"fishgate: .*server\.json is damaged .*\n", done.stderr)


def test_what_is_remembered_is_written_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(Settings(home=tmp_path, pack="first"))

    def full(number: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        remember(Settings(home=tmp_path, pack="second"))
    assert recall(tmp_path).pack == "first"


def test_a_torchserve_for_gateways_elsewhere_opens_inference_and_metrics_only(settings: Settings) -> None:
    open_to_all = replace(settings, torchserve_host="0.0.0.0", metrics_host="::", has_tokens=False, models="expert")
    lines = write_files(open_to_all).read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert told["inference_address"] == "http://0.0.0.0:18080"
    assert told["metrics_address"] == "http://[::]:18082"
    assert told["management_address"] == "http://127.0.0.1:18081"
    assert (told["grpc_inference_address"], told["grpc_management_address"]) == ("127.0.0.1", "127.0.0.1")
    assert (told["disable_token_authorization"], told["load_models"]) == ("true", "")
    assert open_to_all.url == "http://127.0.0.1:18080"
    assert replace(settings, torchserve_host="10.0.0.7").url == "http://10.0.0.7:18080"


def test_without_memory_the_defaults_hold(tmp_path: Path) -> None:
    assert recall(tmp_path) == Settings(home=tmp_path)


def test_addresses_are_built_of_the_ports(settings: Settings) -> None:
    assert settings.url == "http://127.0.0.1:18080"
    assert settings.management_url == "http://127.0.0.1:18081"
    assert settings.metrics_url == "http://127.0.0.1:18082/metrics"
    assert settings.gateway_url == "http://127.0.0.1:18000"


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:18000"), ("10.0.0.7", "http://10.0.0.7:18000"), ("::1", "http://[::1]:18000")],
)
def test_the_gateway_is_reached_at_an_address_that_leads_somewhere(settings: Settings, host: str, url: str) -> None:
    assert replace(settings, host=host).gateway_url == url


def test_free_ports_are_distinct_and_free() -> None:
    ports = free_ports()
    assert len(set(asdict(ports).values())) == len(ports.of_torchserve) + len(ports.of_gateway) == 7
    assert taken_ports([*ports.of_torchserve, *ports.of_gateway]) == []


def test_a_taken_port_is_found() -> None:
    ports = free_ports()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        taken = listening.getsockname()[1]
        assert taken_ports(replace(ports, metrics=taken).of_torchserve) == [taken]
        assert taken_ports(replace(ports, metrics=taken).of_gateway) == []
