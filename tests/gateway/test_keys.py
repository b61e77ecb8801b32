"""API keys: made, kept as hashes, recognised, revoked."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fishgate.errors import InternalError, SettingError
from gateway.errors import Unauthorised
from gateway.keys import KEY_FILE, KeyRing, add_key, read_keys, revoke_key
from tests.conftest import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / KEY_FILE


def test_a_made_key_is_recognised_by_its_name(path: Path) -> None:
    secrets = {name: add_key(path, name) for name in ("boat", "lab")}
    ring = KeyRing(path)
    assert {name: ring.recognise(secret).name for name, secret in secrets.items()} == {"boat": "boat", "lab": "lab"}


def test_the_file_holds_no_key_and_is_its_owners_alone(path: Path) -> None:
    secret = add_key(path, "boat", rate_per_s=2.5)
    assert secret not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [(key.name, key.rate_per_s) for key in read_keys(path)] == [("boat", 2.5)]


def test_keys_are_long_and_differ(path: Path) -> None:
    secrets = {add_key(path, f"key{number}") for number in range(20)}
    assert len(secrets) == 20
    assert min(map(len, secrets)) >= 43  # 32 bytes in base64


WRONG_KEYS = {"none": None, "empty": "", "another": "fg_no", "one more character": "+x", "one fewer": "-"}


@pytest.mark.parametrize("wrong", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_any_other_key_is_refused(path: Path, wrong: str | None) -> None:
    secret = add_key(path, "boat")
    if wrong == "+x":
        wrong = secret + "x"
    elif wrong == "-":
        wrong = secret[:-1]
    with pytest.raises(Unauthorised, match="API key"):
        KeyRing(path).recognise(wrong)


def test_a_running_ring_takes_note_of_new_and_revoked_keys(path: Path) -> None:
    ring = KeyRing(path)
    with pytest.raises(Unauthorised):
        ring.recognise("fg_none is there yet")
    secret = add_key(path, "boat")
    assert ring.recognise(secret).name == "boat"
    revoke_key(path, "boat")
    with pytest.raises(Unauthorised, match="unknown or was revoked"):
        ring.recognise(secret)


def test_nobody_comes_in_while_the_file_is_damaged(path: Path) -> None:
    secret = add_key(path, "boat")
    ring = KeyRing(path)
    good = path.read_text()
    path.write_text(good[:-20])
    with pytest.raises(InternalError, match="cannot read its API keys"):
        ring.recognise(secret)
    path.write_text(good)
    assert ring.recognise(secret).name == "boat"


def test_a_damaged_file_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"keys": [{"name": "boat"}]}')
    with pytest.raises(SettingError, match=r"api_keys.json is wrong: keys.0.sha256"):
        add_key(path, "lab")
    assert json.loads(path.read_text()) == {"keys": [{"name": "boat"}]}


WRONG = {
    "taken name": ("boat", None, "there is a key 'boat' already"),
    "name with a space": ("my boat", None, "a key is called by"),
    "empty name": ("", None, "a key is called by"),
    "long name": ("x" * 65, None, "a key is called by"),
    "no rate": ("lab", 0.0, "rate_per_s"),
    "endless rate": ("lab", float("inf"), "rate_per_s"),
}


@pytest.mark.parametrize(("name", "rate", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_a_key_is_refused(path: Path, name: str, rate: float | None, message: str) -> None:
    add_key(path, "boat")
    with pytest.raises(SettingError, match=message):
        add_key(path, name, rate_per_s=rate)
    assert [key.name for key in read_keys(path)] == ["boat"]


def test_revoking_what_is_not_there_names_what_is(path: Path) -> None:
    add_key(path, "boat")
    with pytest.raises(SettingError, match="no key 'lab'; there are: boat"):
        revoke_key(path, "lab")


def test_keys_made_at_the_same_time_are_all_kept(path: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        list(executor.map(lambda number: add_key(path, f"key{number}"), range(16)))
    assert {key.name for key in read_keys(path)} == {f"key{number}" for number in range(16)}
    assert not list(path.parent.glob(".api_keys*"))


def keys(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "keys"), *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_makes_lists_and_revokes(tmp_path: Path) -> None:
    made = keys(tmp_path, "add", "boat", "--rate", "3")
    secret = made.stdout.strip()
    assert KeyRing(tmp_path / KEY_FILE).recognise(secret).rate_per_s == 3.0
    listed = keys(tmp_path, "list").stdout
    assert "boat" in listed
    assert "3 a second" in listed
    assert secret not in listed
    assert keys(tmp_path, "revoke", "boat").returncode == 0
    again = keys(tmp_path, "revoke", "boat")
    assert (again.returncode, again.stderr.count("there is no key 'boat'")) == (1, 1)
