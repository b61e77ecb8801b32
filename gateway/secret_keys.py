"""API keys that come as secrets: files in which a whole key stands, as containers are given them.

Owns how such a file is read. They are read once, at the start; keys that come and go are ``gateway.keys``' business.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from fishgate.errors import SettingError
from gateway.keys import NAME_PATTERN, Key

_SHORTEST = 32
"""Characters of a key: what is shorter was thought up by somebody, or is an empty file."""


def secret_keys(files: Iterable[Path]) -> tuple[Key, ...]:
    """Return the keys of the files, each called as its file; raise SettingError for one that cannot be a key."""
    return tuple(_key(file) for file in files)


def _key(file: Path) -> Key:
    if not re.fullmatch(NAME_PATTERN, file.name):
        raise SettingError(
            f"the file of a key is called by up to 64 of a-z, A-Z, 0-9, '.', '_' and '-', got {file.name!r}"
        )
    try:
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise SettingError(f"the key in {file.name} cannot be read ({type(error).__name__})") from None
    if len(secret) < _SHORTEST or re.search(r"\s", secret):
        raise SettingError(f"{file.name} must hold one key of {_SHORTEST} or more characters, got {len(secret)}")
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return Key(name=file.name, sha256=digest, made=datetime.now(timezone.utc).isoformat(timespec="seconds"))
