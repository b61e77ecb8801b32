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

# As gateway.keys makes them. What has another form, gateway.redaction would not know in a log; what is shorter was
# thought up by somebody.
_FORM = re.compile(r"fg_[A-Za-z0-9_-]{32,}")


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
    if not _FORM.fullmatch(secret):
        raise SettingError(
            f"{file.name} must hold one key, 'fg_' and 32 or more of a-z, A-Z, 0-9, '_' and '-'; "
            f"its {len(secret)} characters have another form"
        )
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return Key(name=file.name, sha256=digest, made=datetime.now(timezone.utc).isoformat(timespec="seconds"))
