"""Which server the command asks, and with which key."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

KEY_VARIABLE = "FISHGATE_KEY"


class ServerError(Exception):
    """It cannot be told whom to ask; the message says what is missing."""


@dataclass(frozen=True)
class Server:
    """An address, None for the usual one, a key, and what to tell somebody who finds nobody there."""

    url: str | None = None
    key: Callable[[], str | None] = lambda: None
    hint: str = "give the server's address with --url"


class KeyFile:
    """The key in a file, read anew each time: keys are changed while a long run goes on.

    TorchServe's ``key_file.json`` holds several; the inference token is the one.
    """

    def __init__(self, path: Path) -> None:
        """Read the key; raise ServerError if there is none."""
        self._path = path
        try:
            self._key = _key_in(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ServerError(f"there is no key in {path.name} ({type(error).__name__})") from error

    def __call__(self) -> str:
        """Return the key as it is now; the last one that could be read while the file is being written."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            self._key = _key_in(self._path)
        return self._key


def server_from(options: argparse.Namespace) -> Server:
    """Return the server that the command line and the environment name; raise ServerError if the key is not there."""
    if options.key_file is not None:
        return Server(options.url, KeyFile(options.key_file))
    return Server(options.url, lambda: os.environ.get(KEY_VARIABLE) or None)


def _key_in(path: Path) -> str:
    text = path.read_text(encoding="utf-8").strip()
    key = str(json.loads(text)["inference"]["key"]) if text.startswith("{") else text
    if not key:
        raise ValueError("the file is empty")
    return key
