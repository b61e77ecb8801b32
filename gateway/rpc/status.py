"""How an error becomes a gRPC status.

Owns which error has which code, and what else travels with it: Fishgate's code word in the trailing metadata, and
the same once more in the form that gRPC libraries read by themselves (google.rpc). It raises nothing and closes no
call.
"""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from fishgate.errors import FishgateError, InvalidOption, Overloaded, PictureError, TimedOut
from gateway.errors import BadRequest, Busy, NotFound, RateLimited, RequestTimeout, Unauthorised, retry_after_s
from gateway.gathering import WaitingRoomFull

CODE_KEY = "fishgate-code"
DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "fishgate"

_CODES: tuple[tuple[type[FishgateError], grpc.StatusCode], ...] = (
    # The first that fits counts. A full queue is ours; any other overload means that somebody is not there: the
    # gateway is shutting down, or a model could not be had.
    (Busy, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (WaitingRoomFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Overloaded, grpc.StatusCode.UNAVAILABLE),
    (RateLimited, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TimedOut, grpc.StatusCode.DEADLINE_EXCEEDED),
    (RequestTimeout, grpc.StatusCode.DEADLINE_EXCEEDED),
    (PictureError, grpc.StatusCode.INVALID_ARGUMENT),
    (InvalidOption, grpc.StatusCode.INVALID_ARGUMENT),
    (BadRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (Unauthorised, grpc.StatusCode.UNAUTHENTICATED),
    (NotFound, grpc.StatusCode.NOT_FOUND),
)


@dataclass(frozen=True)
class Refusal:
    """A status that is not OK, as gRPC sends it: ``details`` is its message, ``metadata`` goes after it."""

    code: grpc.StatusCode
    details: str
    metadata: tuple[tuple[str, str | bytes], ...]


def refusal(error: FishgateError) -> Refusal:
    """Return the status that tells ``error``."""
    code = status_code(error)
    details = f"{error.code}: {error}"
    status = Status(code=code.value[0], message=details)
    for part in _parts(error):
        status.details.add().Pack(part)
    return Refusal(code, details, ((CODE_KEY, error.code), (DETAILS_KEY, status.SerializeToString())))


def status_code(error: FishgateError) -> grpc.StatusCode:
    """Return gRPC's code for an error; INTERNAL for one that the client cannot mend."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def _parts(error: FishgateError) -> list[Message]:
    parts: list[Message] = [ErrorInfo(reason=error.code, domain=DOMAIN, metadata={"http_status": str(error.status)})]
    wait_s = retry_after_s(error)
    if wait_s is not None:
        delay = Duration()
        delay.FromMilliseconds(round(wait_s * 1000))
        parts.append(RetryInfo(retry_delay=delay))
    return parts
