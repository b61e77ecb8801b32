"""Each trouble is caused for real, and the doctor names it and says how to mend it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from server.archives import build_workflow
from server.bootstrap import ROOT
from server.configuration import Settings, free_ports
from server.doctor.archives import check_archives, check_packs
from server.doctor.examination import CHECKS, Check, examine
from server.doctor.finding import Finding, State, good, worst
from server.doctor.java import check_java
from server.doctor.lists import check_lists
from server.doctor.machine import GB, check_disk, check_memory, memory_available_bytes
from server.doctor.page import as_json, as_text
from server.doctor.ports import check_ports
from server.doctor.tokens import MOUNTED_KEYS, check_keys, check_tokens
from server.doctor.versions import check_python, check_requirements, locked
from server.manifests import PACK_MANIFEST, sha256_of, write_pack_manifest
from server.signatures import KEY_VARIABLE, make_keys
from tests.server.toy_stores import write_pack, write_store

GOOD, WARNING, BROKEN = State.GOOD, State.WARNING, State.BROKEN


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation that was never started."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    home, lists = tmp_path / "home", tmp_path / "lists"
    home.mkdir()
    lists.mkdir()
    return Settings(home=home, store=tmp_path / "store", own_lists=lists, ports=free_ports())


def only(findings: Iterable[Finding], state: State) -> Finding:
    """Return the one finding that is not good, or that is; it must be of this state."""
    told = list(findings)
    [found] = [finding for finding in told if finding.state is not GOOD] or told
    assert found.state is state, found
    assert bool(found.mend) is (state is not GOOD)
    return found


OF_THE_MACHINE = (check_requirements, check_memory, check_disk)


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check not in OF_THE_MACHINE], ids=lambda check: check.__name__
)
def test_an_installation_that_was_never_started_is_not_broken(check: Check, settings: Settings) -> None:
    assert worst(check(settings)) < BROKEN


def test_a_port_that_is_taken_is_named_with_who_has_it(settings: Settings) -> None:
    only(check_ports(settings), GOOD)
    code = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print(1, flush=True); input()"
    )
    command = [sys.executable, "-uc", code, str(settings.ports.management), "--password=hidden"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        child.stdout.readline()
        found = only(check_ports(settings), BROKEN)
        child.communicate("\n", timeout=30)
    assert f"port {settings.ports.management} is taken by python" in found.seen
    assert f"(process {child.pid})" in found.seen
    assert "hidden" not in found.seen
    only(check_ports(settings), GOOD)


def test_ports_of_a_gateway_that_is_not_wanted_may_be_taken(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.ports.gateway)):
        only(check_ports(settings), BROKEN)
        only(check_ports(replace(settings, has_gateway=False)), GOOD)


@pytest.mark.parametrize(("available_bytes", "state"), [(1 * GB, BROKEN), (3 * GB, WARNING), (5 * GB, GOOD)])
def test_too_little_memory_for_a_start_is_found(settings: Settings, available_bytes: float, state: State) -> None:
    assert "4.0 GB should be" in only(check_memory(settings, available_bytes=available_bytes), state).seen


def test_the_hub_pack_needs_more_memory(settings: Settings) -> None:
    only(check_memory(replace(settings, pack="hub"), available_bytes=5 * GB), WARNING)


def test_the_memory_of_this_machine_is_seen() -> None:
    assert 0 < memory_available_bytes() < 1e15


@pytest.mark.parametrize(("times", "state"), [(0.5, GOOD), (2, WARNING), (20, BROKEN)])
def test_too_little_room_on_the_real_disk_is_found(settings: Settings, times: float, state: State) -> None:
    needed = shutil.disk_usage(settings.home).free * times
    assert {finding.state for finding in check_disk(settings, needed_bytes=needed)} == {state}


def test_a_file_in_the_place_of_the_store_is_found(settings: Settings) -> None:
    settings.store.write_text("no folder")
    assert "is no folder, and should be the store" in only(check_disk(settings, needed_bytes=1), BROKEN).seen


def test_the_java_of_the_environment_runs(settings: Settings) -> None:
    assert "21." in only(check_java(settings), GOOD).seen


def test_a_java_that_is_missing_or_does_not_run_is_found(settings: Settings, tmp_path: Path) -> None:
    assert "does not run (FileNotFoundError)" in only(check_java(settings, home=tmp_path), BROKEN).seen
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\necho 'no libjvm here' >&2\nexit 127\n")
    (tmp_path / "bin" / "java").chmod(0o755)
    assert "ends with status 127: no libjvm here" in only(check_java(settings, home=tmp_path), BROKEN).seen


def write_tokens(path: Path, days: float) -> None:
    """Write TorchServe's file of tokens, as it does, that are good for so many days."""
    end = (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    token = {"key": "hidden", "expiration time": end}
    path.write_text(json.dumps({"management": token, "inference": token, "API": {"key": "hidden"}}))
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("days", "state", "seen"),
    [(-1, BROKEN, "token expired on"), (3, WARNING, "token expires on"), (300, GOOD, "good until")],
)
def test_expired_tokens_are_found(settings: Settings, days: float, state: State, seen: str) -> None:
    write_tokens(settings.key_file, days)
    assert seen in only(check_tokens(settings), state).seen


@pytest.mark.parametrize("content", ["", "{}", '{"inference": {"key": "hidden", "expiration time": "x"}}'])
def test_a_damaged_file_of_tokens_is_found_and_not_quoted(settings: Settings, content: str) -> None:
    settings.key_file.write_text(content)
    found = only(check_tokens(settings), BROKEN)
    assert "cannot be read" in found.seen
    assert "hidden" not in found.seen


def test_tokens_that_others_can_read_are_found(settings: Settings) -> None:
    write_tokens(settings.key_file, 300)
    settings.key_file.chmod(0o644)
    found = next(iter(check_tokens(settings)))
    assert (found.state, found.mend) == (WARNING, f"chmod 600 {settings.key_file}")


def test_tokens_that_are_off_are_told(settings: Settings) -> None:
    only(check_tokens(replace(settings, has_tokens=False)), WARNING)


def test_a_public_gateway_without_keys_is_found(settings: Settings) -> None:
    only(check_keys(settings), GOOD)
    public = replace(settings, host="0.0.0.0")
    assert "there is none" in only(check_keys(public), WARNING).seen
    (settings.home / "api_keys.json").write_text(json.dumps({"keys": [{"name": "boat", "sha256": "0" * 64}]}))
    assert "boat" in only(check_keys(public), GOOD).seen
    (settings.home / "api_keys.json").write_text("{")
    assert "nobody gets in" in only(check_keys(public), BROKEN).seen


def test_a_key_that_should_be_mounted_and_is_not_is_found(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = replace(settings, host="0.0.0.0")
    monkeypatch.setenv(MOUNTED_KEYS, f"{tmp_path / 'metrics_key'}, {tmp_path / 'other_key'}")
    (tmp_path / "metrics_key").write_text("fg_hidden")
    found = only(check_keys(public), BROKEN)
    assert f"{tmp_path / 'other_key'} of $FISHGATE_GATEWAY_KEY_FILES cannot be read" in found.seen
    (tmp_path / "other_key").write_text("fg_hidden")
    assert only(check_keys(public), GOOD).seen == "2 API keys: metrics_key, other_key"


@pytest.mark.parametrize(("version", "state"), [((3, 9), BROKEN), ((3, 10), GOOD), ((3, 13), GOOD), ((3, 14), BROKEN)])
def test_a_python_for_which_nothing_is_locked_is_found(
    settings: Settings, version: tuple[int, int], state: State
) -> None:
    only(check_python(settings, version=version), state)


def test_packages_of_other_versions_and_missing_ones_are_found(settings: Settings, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    installed = locked(ROOT / "requirements.txt")
    lock.write_text(
        f"psutil=={installed['psutil']} \\\n    --hash=sha256:00\n"
        "requests==0.0.1 \\\n    --hash=sha256:00\n    # via fishgate\n"
        "no-such-package==1.0 ; python_version >= '3'\n"
        "not-for-this-machine==1.0 ; sys_platform == 'win32'\n"
    )
    found = only(check_requirements(settings, lock=lock), BROKEN)
    assert "no-such-package 1.0 is not installed; requests is " in found.seen
    assert found.seen.endswith("locked is 0.0.1")


def test_archives_that_are_not_there_or_tampered_with_are_found(settings: Settings) -> None:
    assert "there are none" in only(check_archives(settings), WARNING).seen
    write_store(settings.store)
    with (settings.store / "expert.mar").open("ab") as file:
        file.truncate(3)
    found = only(check_archives(settings), BROKEN)
    assert "expert.mar is not the file that was built" in found.seen
    assert "scripts/build_archives" in found.mend
    (settings.store / "more").symlink_to(settings.home)
    assert "more is a symbolic link" in only(check_archives(settings), BROKEN).seen


def test_archives_that_are_stale_are_found(settings: Settings) -> None:
    settings.store.mkdir()
    build_workflow(settings.store, ROOT / "handlers" / "fish.cpu.yaml")
    found = only(check_archives(settings), WARNING)
    assert found.seen == "expert.mar, router.mar, zero_shot.mar, fish.war: not of what is here now"


def test_archives_that_nobody_signed_are_found(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(settings.store)
    monkeypatch.setenv(KEY_VARIABLE, str(make_keys(tmp_path / "key")))
    assert "is not signed" in only(check_archives(settings), BROKEN).seen


@pytest.fixture
def toy_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the repository, with two packs."""
    for kind in ("expert", "zero_shot"):
        write_pack(tmp_path / "models" / kind / "demo")
    monkeypatch.setattr("server.archives.ROOT", tmp_path)
    return tmp_path


def test_packs_that_are_missing_tampered_with_or_without_manifest_are_found(settings: Settings, toy_root: Path) -> None:
    only(check_packs(settings), GOOD)
    expert = toy_root / "models" / "expert" / "demo"
    (expert / PACK_MANIFEST).unlink()
    found = only(check_packs(settings), BROKEN)
    assert "there is no manifest.json" in found.seen
    assert found.mend == f"if it is your own, write one with scripts/sign manifest {expert}"
    write_pack_manifest(expert)
    zero_shot = toy_root / "models" / "zero_shot" / "demo"
    before = sha256_of(zero_shot / "weights.safetensors")
    (zero_shot / "weights.safetensors").write_bytes(b"others")
    assert before[:16] in only(check_packs(settings), BROKEN).seen
    (expert / "model_card.json").unlink()
    assert "has no card for expert" in only(check_packs(settings), BROKEN).seen


def test_lists_that_cannot_be_served_or_are_not_yet_are_found(settings: Settings) -> None:
    only(check_lists(settings), GOOD)
    good_list = settings.own_lists / "lake.csv"
    good_list.write_text("label,scientific_name\nPike,Esox lucius\n")
    assert "not served as they are now: lake.csv" in only(check_lists(settings), WARNING).seen
    settings.lists.mkdir()
    (settings.lists / "lake.csv").write_bytes(good_list.read_bytes())
    only(check_lists(settings), GOOD)
    (settings.own_lists / "sea.csv").write_text("weight\n3\n")
    found = only(check_lists(settings), BROKEN)
    assert "sea.csv has an unknown column 'weight'" in found.seen
    assert "sea.csv" in found.mend


def test_a_check_that_fails_is_a_finding_and_the_others_go_on(settings: Settings) -> None:
    def check_moon(settings: Settings) -> Iterator[Finding]:
        yield good("moon", "it is there")
        raise OSError("clouds")

    found = list(examine(settings, [check_moon, check_java]))
    assert [finding.part for finding in found] == ["moon", "moon", "java"]
    assert "the check itself failed (OSError: clouds)" in found[1].seen


def test_the_page_says_what_to_do_and_the_json_says_the_same() -> None:
    found = [good("java", "it runs"), Finding("disk", BROKEN, "it is full", "make room")]
    assert as_text(found).splitlines()[:3] == [
        "good     java          it runs",
        "BROKEN   disk          it is full",
        "                       → make room",
    ]
    assert json.loads(as_json(found))["state"] == "broken"
    assert json.loads(as_json(found))["findings"][1]["mend"] == "make room"
