"""``python -m gateway``: run the gateway until SIGTERM or SIGINT.

Owns the process: its event loop, its log on the standard error, its signals and its exit status: 0 ended when it was
told to, 1 could not start. A second signal does not wait for what is in flight.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

from fishgate.errors import FishgateError
from gateway.http.connections import allow_many_files
from gateway.redaction import RedactingFormatter
from gateway.running import Gateway
from gateway.settings import Settings, settings_from_environment

_QUIET = ("uvicorn", "python_multipart", "aiohttp")
"""They warn of what any client can send; our own access log tells of it."""

_log = logging.getLogger("gateway")


def main() -> int:
    """Run; return the exit status."""
    output = logging.StreamHandler()
    output.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[output])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    _log.setLevel(logging.INFO)
    try:
        uvloop.run(run(settings_from_environment(), allow_many_files()))
    except FishgateError as error:
        print(f"fishgate: the gateway does not start: {error}", file=sys.stderr)
        return 1
    return 0


async def run(settings: Settings, most_connections: int) -> None:
    """Serve until a signal comes; raises FishgateError if that cannot begin."""
    signals = _Signals()
    gateway = Gateway(settings, most_connections=most_connections)
    try:
        await gateway.start()
        gc.collect()
        gc.freeze()  # what is here stays: looking through it again and again would only cost time
        _log.info("listening on %s, HTTP port %d, gRPC port %d", settings.host, gateway.http.port, gateway.rpc_port)
        await _first_of(signals.first.wait(), gateway.http.ended())
        _log.info("shutting down")
        await _first_of(gateway.drain(), signals.second.wait())
    finally:
        await gateway.stop()


class _Signals:
    """The signals that end the process, in the order in which they come."""

    def __init__(self) -> None:
        self.first, self.second = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._came)

    def _came(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


async def _first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of them is done, and give up the others; raises what that one raised."""
    tasks = [asyncio.create_task(work) for work in works]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    for task in done:
        task.result()


if __name__ == "__main__":
    sys.exit(main())
