"""What is known of one request on its way through the gateway: what the log, the figures and the trace tell of it.

Owns the record, and that the engine's stages find the request that they belong to. The doors make it and fill it in.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field

from fishgate.answer import Answer
from fishgate.errors import FishgateError
from gateway.keys import Key
from gateway.tracing import TraceParent

OK = "ok"


@dataclass
class Exchange:
    """One request and its reply. ``started_s`` is a time of ``time.monotonic()``.

    ``trace`` is the gateway's own span, ``parent`` the client's, if it told one. ``stages`` are names with the
    seconds that they took and the time at which they ended.
    """

    door: str
    method: str
    path: str
    route: str
    request_id: str
    trace: TraceParent
    parent: TraceParent | None = None
    client: str | None = None
    key: Key | None = None
    started_s: float = field(default_factory=time.monotonic)
    status: int = 0
    code: str = OK
    bytes_in: int = 0
    bytes_out: int = 0
    source: str | None = None
    deferred: bool | None = None
    pictures: int | None = None
    stages: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.started_s

    def answered(self, answer: Answer) -> None:
        """Take note of the answer."""
        self.source, self.deferred = answer.source.value, answer.deferred

    def failed(self, error: FishgateError) -> None:
        """Take note of the error that is replied instead."""
        self.status, self.code = error.status, error.code

    def facts(self) -> dict[str, object]:
        """Return what the access log tells: nothing that was in the request itself but its path."""
        return {
            "request_id": self.request_id,
            "trace_id": self.trace.trace_id,
            "door": self.door,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "code": self.code,
            "seconds": round(self.seconds, 6),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "source": self.source,
            "deferred": self.deferred,
            "pictures": self.pictures,
            "key": self.key.name if self.key else None,
            "client": self.client,
        }


CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)
"""The exchange that the running task works for."""


def current() -> Exchange:
    """Return the exchange that the running task works for."""
    exchange = CURRENT.get()
    if exchange is None:
        raise RuntimeError("this runs outside of a request")
    return exchange
