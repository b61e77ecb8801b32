"""API keys: who may come in.

Owns the file of keys: how keys are made, kept, revoked and recognised. The file holds no key but the SHA-256 of each.
A plain hash is enough, and a slow one would only cost time with every request: slow hashes protect what people can
think of, and nobody can try out the 2^256 values of 32 random bytes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from pydantic import Field, ValidationError

from fishgate.errors import InternalError, SettingError
from fishgate.record import Record, explain
from gateway.errors import Unauthorised

KEY_FILE = "api_keys.json"
"""Its name in the home folder."""

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_KEY_BYTES = 32
_PREFIX = "fg_"  # so that a key found where it should not be is recognised as one

_log = logging.getLogger(__name__)


class Key(Record):
    """One key: what it is called, its hash, and how many requests a second it may make (None: any number)."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    rate_per_s: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    made: str


class KeyFile(Record):
    """What stands in the file."""

    keys: tuple[Key, ...] = ()


class KeyRing:
    """The keys of a file, read again whenever the file has changed, and those that were ``given`` for good."""

    def __init__(self, path: Path, *, given: tuple[Key, ...] = ()) -> None:
        self._path = path
        self._given = given
        self._seen: tuple[int, ...] | None = None
        self._keys: tuple[Key, ...] = ()
        self._check_file()

    def recognise(self, secret: str | None) -> Key:
        """Return the key; raise Unauthorised if none was given or it is unknown.

        Every key is compared, in time that does not depend on where they differ.
        """
        self._check_file()
        if not secret:
            raise Unauthorised("an API key is needed: send the header 'Authorization: Bearer KEY' or 'X-API-Key: KEY'")
        digest = _digest(secret)
        found = [key for key in (*self._given, *self._keys) if hmac.compare_digest(key.sha256, digest)]
        if not found:
            raise Unauthorised("this API key is unknown or was revoked")
        return found[0]

    def _check_file(self) -> None:
        mark = _mark(self._path)
        if mark == self._seen:
            return
        try:
            self._keys = read_keys(self._path)
        except SettingError as error:
            _log.error("%s", error)
            # Nobody comes in on old keys: one of them may just have been revoked.
            raise InternalError("the gateway cannot read its API keys; its operator has to mend the file") from None
        self._seen = mark


def read_keys(path: Path) -> tuple[Key, ...]:
    """Return the keys of the file, none if it is not there; raise SettingError if it cannot be read."""
    try:
        return KeyFile.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        raise SettingError(f"{path.name} is wrong: {explain(error)}; mend it, or make keys anew") from None
    except OSError as error:
        raise SettingError(f"{path.name} cannot be read: {error.strerror}") from None


def add_key(path: Path, name: str, *, rate_per_s: float | None = None) -> str:
    """Make a key, put its hash into the file and return the key itself, which is kept nowhere.

    Raises SettingError for a name that is taken or not allowed, or a rate that is not above 0.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise SettingError(f"a key is called by up to 64 of a-z, A-Z, 0-9, '.', '_' and '-', got {name[:80]!r}")
    secret = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    _change(path, lambda keys: (*keys, _new_key(keys, name, secret, rate_per_s)))
    return secret


def revoke_key(path: Path, name: str) -> None:
    """Take a key out of the file; raise SettingError if it is not there."""

    def without(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        rest = tuple(key for key in keys if key.name != name)
        if len(rest) == len(keys):
            known = ", ".join(key.name for key in keys) or "none"
            raise SettingError(f"there is no key {name[:80]!r}; there are: {known}")
        return rest

    _change(path, without)


def _new_key(keys: tuple[Key, ...], name: str, secret: str, rate_per_s: float | None) -> Key:
    if any(key.name == name for key in keys):
        raise SettingError(f"there is a key {name!r} already; revoke it first, or choose another name")
    made = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        return Key(name=name, sha256=_digest(secret), rate_per_s=rate_per_s, made=made)
    except ValidationError as error:
        raise SettingError(f"this key cannot be made: {explain(error)}") from None


def _change(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
    """Replace the file by one with other keys, in one step: who reads it sees the old or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        keys = change(read_keys(path))
        _write(path, json.dumps(KeyFile(keys=keys).model_dump(), indent=1) + "\n")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep others from changing the file meanwhile. The lock is a file of its own, for the other one is replaced."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _mark(path: Path) -> tuple[int, ...]:
    """Return what changes with the file: a new one has another inode."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_mtime_ns, status.st_size)
