"""The client's version, which it tells the server and writes beside its results."""

from __future__ import annotations

VERSION = "0.1.0"
USER_AGENT = f"fishgate-client/{VERSION}"
