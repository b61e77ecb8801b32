"""The token of TorchServe's inference API, as its key file has it.

Owns how the file is read and that it is read again when the token may have changed: TorchServe makes
new tokens at each start. It sends nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from fishgate.errors import InternalError


class InferenceToken:
    """The token in ``key_file``; None where TorchServe asks for none."""

    def __init__(self, key_file: Path | None) -> None:
        self._key_file = key_file
        self._token: str | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers that carry the token; raise InternalError if it cannot be read."""
        if self._token is None and self._key_file is not None:
            self._token = read_token(self._key_file)
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def forget(self) -> None:
        """Read the file again before the next request."""
        self._token = None


def read_token(key_file: Path) -> str:
    """Return the inference token of TorchServe's key file; raise InternalError if there is none."""
    try:
        return str(json.loads(key_file.read_text())["inference"]["key"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InternalError(f"TorchServe's key file cannot be read ({type(error).__name__})") from error
