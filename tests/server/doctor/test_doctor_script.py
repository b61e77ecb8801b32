"""The script itself: its page, its status, and that it says what is wrong when hardly anything is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from server.bootstrap import ROOT
from server.doctor.examination import OF_ANY, examine_home
from server.doctor.finding import State
from server.signatures import KEY_VARIABLE


def doctor(home: Path, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "doctor"), "--home", str(home), *arguments]
    inherited = {name: value for name, value in os.environ.items() if name != KEY_VARIABLE}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=inherited)


def write_expired_tokens(path: Path) -> None:
    end = (datetime.now(timezone.utc) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    token = {"key": "hidden", "expiration time": end}
    path.write_text(json.dumps({"management": token, "inference": token, "API": {"key": "hidden"}}))
    path.chmod(0o600)


def test_it_tells_by_its_status_how_bad_it_is(tmp_path: Path) -> None:
    calm = doctor(tmp_path, "--json")
    value = json.loads(calm.stdout)
    assert calm.returncode == {"good": 0, "warning": 1, "broken": 2}[value["state"]]
    write_expired_tokens(tmp_path / "key_file.json")
    done = doctor(tmp_path)
    assert done.returncode == 2, done.stderr
    assert "BROKEN   tokens        the inference token expired" in done.stdout
    assert "→ run scripts/stop, then scripts/serve: each start makes new ones" in done.stdout
    assert "hidden" not in done.stdout


@pytest.mark.parametrize("content", ["", '{"store": "/st', "[]", "{}", '{"ports": 3, "store": 1}'])
def test_a_damaged_memory_of_the_server_is_a_finding(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    first, *others = examine_home(tmp_path)
    assert (first.part, first.state) == ("settings", State.BROKEN)
    assert f"{tmp_path / 'server.json'} is damaged" in first.seen
    assert first.mend == "remove it, and call scripts/serve with the options that this server was started with"
    assert len(others) == len(OF_ANY)


def test_the_page_tells_of_a_damaged_memory_too(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text('{"store": "/st')
    done = doctor(tmp_path, "--json")
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["findings"][0]["part"] == "settings"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A copy of the program of which nothing is installed."""
    root = tmp_path / "program"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "doctor", root / "scripts")
    shutil.copytree(ROOT / "server", root / "server", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_without_an_environment_it_says_so(bare: Path, tmp_path: Path) -> None:
    done = doctor(tmp_path, root=bare)
    assert (done.returncode, done.stderr) == (2, "")
    assert "BROKEN   environment   there is none in .venv" in done.stdout
    assert "→ run scripts/serve, which makes it" in done.stdout


def test_without_an_environment_it_says_so_to_programs(bare: Path, tmp_path: Path) -> None:
    value = json.loads(doctor(tmp_path, "--json", root=bare).stdout)
    assert value["state"] == "broken"
    assert value["findings"][0]["mend"] == "run scripts/serve, which makes it"


def test_a_library_that_is_missing_is_named(bare: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", bare / ".venv"], capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    value = json.loads(doctor(tmp_path, "--json", root=bare).stdout)
    assert (value["state"], value["findings"][0]["part"]) == ("broken", "requirements")
    assert "No module named" in value["findings"][0]["seen"]
