"""Keys that come as files: let in by their content, called by their name, refused if they can be no key."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import SettingError
from gateway.errors import Unauthorised
from gateway.keys import KEY_FILE, KeyRing, add_key
from gateway.redaction import HIDDEN, without_keys
from gateway.secret_keys import secret_keys
from gateway.settings import settings_from_environment

SECRET = "fg_" + "k" * 32


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_given_key_counts_beside_those_that_were_made(tmp_path: Path) -> None:
    made = add_key(tmp_path / KEY_FILE, "survey")
    ring = KeyRing(tmp_path / KEY_FILE, given=secret_keys([written(tmp_path, "metrics_key", f"{SECRET}\n")]))
    assert ring.recognise(SECRET).name == "metrics_key"
    assert ring.recognise(made).name == "survey"
    with pytest.raises(Unauthorised):
        ring.recognise(SECRET + "k")


def test_the_setting_is_a_list_of_files() -> None:
    told = settings_from_environment({"FISHGATE_GATEWAY_KEY_FILES": "/run/secrets/a, /run/secrets/b"})
    assert told.key_files == (Path("/run/secrets/a"), Path("/run/secrets/b"))
    assert settings_from_environment({}).key_files == ()


NO_KEYS = {  # content of the file, and what is said of it
    "empty": ("", "must hold one key, 'fg_' and 32 or more of .*; its 0 characters have another form"),
    "thought up by somebody": ("fish1234", "its 8 characters"),
    "without the beginning that logs know": ("k" * 35, "its 35 characters have another form"),
    "with a letter at which a log would end it": (f"fg_{'k' * 20}.{'k' * 20}", "another form"),
    "two keys": (f"{SECRET}\n{SECRET}\n", "must hold one key"),
    "a picture": (b"\xff\xd8" * 50, "cannot be read"),
}


@pytest.mark.parametrize(("content", "said"), NO_KEYS.values(), ids=NO_KEYS)
def test_what_can_be_no_key_stops_the_start(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(SettingError, match=said) as caught:
        secret_keys([written(tmp_path, "metrics_key", content)])
    assert "fish1234" not in str(caught.value)


def test_every_key_that_is_let_in_is_hidden_in_logs(tmp_path: Path) -> None:
    for secret in (SECRET, f"fg_metrics_key-{'x' * 32}", add_key(tmp_path / KEY_FILE, "survey")):
        assert secret_keys([written(tmp_path, "metrics_key", secret)])
        assert without_keys(f"/v1/{secret}/more") == f"/v1/{HIDDEN}/more"


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="the key in none cannot be read"):
        secret_keys([tmp_path / "none"])


def test_a_file_that_cannot_name_a_key_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"got '\.\.data'"):
        secret_keys([written(tmp_path, "..data", SECRET)])
