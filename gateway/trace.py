"""The trace that a request belongs to, as it travels through the gateway.

Owns the tiny value only; who begins and ends spans is the business of the doors.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trace:
    """The W3C trace context of a request: its header ``traceparent``, empty where there is none."""

    traceparent: str = ""


NO_TRACE = Trace()
