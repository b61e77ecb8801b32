"""Where ``scripts/identify`` finds the server that ``scripts/serve`` has started.

Owns address and token; what is done with them is the client's, which knows nothing of this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from server.configuration import DEFAULT_HOME, recall
from server.management import ManagementError, TorchServe

HINT = "start the server with scripts/serve"


def address(home: Path | None, *, torchserve: bool) -> str:
    """Return the address of the gateway, or of TorchServe behind it."""
    settings = recall((home or DEFAULT_HOME).resolve())
    return settings.url if torchserve else settings.gateway_url


def inference_token(home: Path | None) -> Callable[[], str | None]:
    """Return what reads TorchServe's token as it is now: it is another one after each start. None without a server."""
    server = TorchServe(recall((home or DEFAULT_HOME).resolve()))

    def token() -> str | None:
        try:
            return server.token("inference")
        except ManagementError:
            return None

    return token
