"""Request ids, and the trace that a request belongs to (W3C Trace Context).

Owns what is accepted of both from a client, and how new ones are made. Recording spans is the business of
``gateway.spans``.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")

_random = random.Random()  # seeded by the system; ids must differ, but need not be secret


@dataclass(frozen=True)
class TraceParent:
    """A place in a trace: the trace's id (32 hex digits), the span's (16), and whether it is recorded."""

    trace_id: str
    span_id: str
    is_sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    def child(self) -> TraceParent:
        """Return a new span of the same trace."""
        return TraceParent(self.trace_id, _new_id(64), self.is_sampled)


def read_traceparent(text: str | None) -> TraceParent | None:
    """Return where the client's span stands; None if it sent none, or one that is not well-formed."""
    found = _TRACEPARENT.fullmatch(text) if text else None
    if found is None:
        return None
    trace_id, span_id, flags, rest = found.groups()
    # Version 00 has nothing behind the flags; what later versions put there is not ours to know.
    if not int(trace_id, 16) or not int(span_id, 16) or (found[0].startswith("00") and rest is not None):
        return None
    return TraceParent(trace_id, span_id, bool(int(flags, 16) & 1))


def new_trace() -> TraceParent:
    """Begin a trace, which nobody records."""
    return TraceParent(_new_id(128), _new_id(64), False)


def request_id(text: str | None) -> str:
    """Return the client's own id for its request if it is 1 to 128 printable ASCII characters, else a new one."""
    return text if text and _REQUEST_ID.fullmatch(text) else _new_id(128)


def _new_id(bits: int) -> str:
    """Return a random number that is not 0, in hex."""
    return f"{_random.getrandbits(bits) or 1:0{bits // 4}x}"
