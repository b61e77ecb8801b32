"""The command: help, exit codes, one-line errors, and a whole fetch through ``HF_ENDPOINT``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packs.errors import HubError
from packs.hub import Hub
from packs.sources import EXPERT
from tests.packs.conftest import ROOT
from tests.packs.hub_stand_in import FIRST_COMMIT, HubStandIn

SCRIPT = ROOT / "scripts" / "fetch_models"
NOBODY_THERE = "http://127.0.0.1:9"


def run(*arguments: str, home: Path, endpoint: str = NOBODY_THERE) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TQDM_POSITION": "-1",
    }  # the library's way to show progress though nobody watches a terminal
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    script = f"import runpy, sys; sys.argv = ['fetch_models', '--help']\ntry: runpy.run_path({str(SCRIPT)!r}, run_name="
    script += "'__main__')\nexcept SystemExit as leaving: print(leaving.code, sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60)
    assert "--no-embeddings" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("0 ")
    assert not any(f"'{name}'" in last for name in ("torch", "huggingface_hub", "pydantic", "fishgate"))


def test_a_revision_needs_its_repository(tmp_path: Path) -> None:
    done = run("--revision", "main", home=tmp_path)
    assert done.returncode == 2
    assert "say which with --only expert or --only zero_shot" in done.stderr


def test_no_network_is_one_line(tmp_path: Path) -> None:
    done = run("--only", "expert", "--output", str(tmp_path), home=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [done.stderr.strip()], done.stderr
    assert "the hub cannot be reached" in done.stderr
    assert "--endpoint or HF_ENDPOINT" in done.stderr


def test_the_command_fetches_a_whole_pack(published: HubStandIn, tmp_path: Path) -> None:
    arguments = ("--only", "expert", "--output", str(tmp_path / "models"))
    first = run(*arguments, home=tmp_path, endpoint=published.url)
    assert first.returncode == 0, first.stderr
    assert f"{EXPERT.weights[0]} (111 MB) of {EXPERT.repository} at {FIRST_COMMIT}" in first.stdout
    assert "111M/111M" in first.stderr, "the download's progress is shown"

    second = run(*arguments, "--endpoint", published.url, home=tmp_path)
    assert second.stdout == "expert: hub-11111111 is there already, unchanged\n"


def test_a_refusal_is_one_line(server: HubStandIn, tmp_path: Path) -> None:
    (tmp_path / EXPERT.weights[0]).write_bytes(b"not weights")
    server.publish(EXPERT.repository, FIRST_COMMIT, tmp_path / EXPERT.weights[0])
    done = run("--only", "expert", "--output", str(tmp_path / "models"), home=tmp_path, endpoint=server.url)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("fetch_models: balik_modeli_final.pth was refused unread")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503])
def test_each_http_error_is_a_hub_error_of_one_line(published: HubStandIn, hub: Hub, status: int) -> None:
    published.status = status
    with pytest.raises(HubError, match=r"the hub (answered \d+|has no public repository)") as raised:
        hub.snapshot(EXPERT.repository, None)
    assert "\n" not in str(raised.value)


def test_an_unknown_repository_is_named(server: HubStandIn, hub: Hub) -> None:
    with pytest.raises(HubError, match=f"has no public repository {EXPERT.repository}; check --endpoint"):
        hub.snapshot(EXPERT.repository, None)


def test_an_unknown_revision_is_named(published: HubStandIn, hub: Hub) -> None:
    with pytest.raises(HubError, match="has no revision 'nowhere'; give a branch, a tag or a commit hash"):
        hub.snapshot(EXPERT.repository, "nowhere")


def test_a_missing_file_is_told_with_what_is_there(server: HubStandIn, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no weights", encoding="utf-8")
    server.publish(EXPERT.repository, FIRST_COMMIT, tmp_path / "README.md")
    with pytest.raises(HubError, match=r"at 11111111 has no balik_modeli_final\.pth; it has README\.md; pin"):
        hub.snapshot(EXPERT.repository, None).first_of(EXPERT.weights)


@pytest.mark.parametrize("endpoint", [NOBODY_THERE, "http://no-such-host.invalid", "not an address"])
def test_a_hub_that_is_not_there_is_told_soon(endpoint: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(HubError, match="cannot be reached"):
        Hub(endpoint, cache=tmp_path).snapshot(EXPERT.repository, None)
    assert time.monotonic() - started < 60
