"""The errors that only the gateway's doors know; all others are Fishgate's own.

FishgateError
├── BadRequest              400 bad_request, what was sent is no HTTP or no form that can be read
├── Unauthorised            401 unauthorised
├── NotFound                404 not_found
├── MethodNotAllowed        405 method_not_allowed
├── RequestTimeout          408 request_timeout, the client took too long to send its request
├── RequestTooLarge         413 request_too_large, the whole request, not one picture in it
├── RateLimited             429 rate_limited, this client asks too often
├── HeadTooLarge            431 head_too_large
└── ServiceError
    └── Overloaded          503 overloaded (Fishgate's)
        ├── Busy            all places are taken, and as many wait as may
        └── ShuttingDown    the gateway is about to end; another one may answer

This module knows codes, statuses and when to come again; it writes no reply.
"""

from __future__ import annotations

from fishgate.errors import FishgateError, Overloaded


class BadRequest(FishgateError):
    """The request cannot be read."""

    code = "bad_request"
    status = 400


class Unauthorised(FishgateError):
    """No API key was given, or none that is known."""

    code = "unauthorised"
    status = 401


class NotFound(FishgateError):
    """There is nothing at this address."""

    code = "not_found"
    status = 404


class MethodNotAllowed(FishgateError):
    """The address is right, the method is not."""

    code = "method_not_allowed"
    status = 405


class RequestTimeout(FishgateError):
    """The client did not send its request in time."""

    code = "request_timeout"
    status = 408


class RequestTooLarge(FishgateError):
    """The request as a whole is larger than allowed."""

    code = "request_too_large"
    status = 413


class RateLimited(FishgateError):
    """The client asks more often than its key allows; ``retry_after_s`` is when it may again."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class HeadTooLarge(FishgateError):
    """Request line and headers are larger than allowed."""

    code = "head_too_large"
    status = 431


class Busy(Overloaded):
    """No place is free; ``retry_after_s`` is when one may be."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ShuttingDown(Overloaded):
    """The gateway finishes what it has begun and takes on nothing new."""


DEFAULT_RETRY_AFTER_S = 1.0
"""When to come again where an overload says nothing itself: the models' queue is full, or a worker is coming back."""


def retry_after_s(error: FishgateError) -> float | None:
    """Return when a client may come again, in seconds; None for an error that time does not mend."""
    if isinstance(error, RateLimited | Busy):
        return error.retry_after_s
    return DEFAULT_RETRY_AFTER_S if isinstance(error, Overloaded) else None
