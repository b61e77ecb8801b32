"""Who calls: what a client tells of itself beside its message.

Owns the names of the metadata that are read, which are those of the HTTP headers, and how gRPC writes a client's
address.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.tracing import TraceParent, read_traceparent, request_id

REQUEST_ID_KEY = "x-request-id"
TRACE_KEY = "traceparent"

Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Caller:
    """One call's origin: its id, the client's place in a trace, the API key as it was sent, the address."""

    request_id: str
    parent: TraceParent | None
    secret: str | None
    address: str | None


def caller_from(metadata: Metadata, peer: str) -> Caller:
    """Read the metadata of a call; what is not there, or not well-formed, is None or made anew."""
    # The first of each name counts, and names in "-bin" are not text.
    texts = {name: value for name, value in reversed(list(metadata)) if isinstance(value, str)}
    return Caller(
        request_id=request_id(texts.get(REQUEST_ID_KEY)),
        parent=read_traceparent(texts.get(TRACE_KEY)),
        secret=_secret(texts),
        address=_address(peer),
    )


def _secret(texts: dict[str, str]) -> str | None:
    """Return the key of ``authorization: Bearer KEY`` or ``x-api-key: KEY``; the former goes first."""
    kind, _, secret = texts.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    return texts.get("x-api-key") or None


def _address(peer: str) -> str | None:
    """Return the host of ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``; None for what is no internet address."""
    kind, _, rest = unquote(peer).partition(":")
    host, _, _ = rest.rpartition(":")
    return host.strip("[]") or None if kind in ("ipv4", "ipv6") else None
