"""Every error has its gRPC code, and says the same in all three places where a client may look."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from fishgate import errors as fishgate_errors
from fishgate.errors import REQUEST_ERRORS, FishgateError
from gateway import errors as gateway_errors
from gateway.backend import Unavailable
from gateway.errors import Busy, RateLimited
from gateway.gathering import WaitingRoomFull
from gateway.rpc.status import refusal, status_code

CODES = {
    "empty_image": grpc.StatusCode.INVALID_ARGUMENT,
    "unsupported_image": grpc.StatusCode.INVALID_ARGUMENT,
    "damaged_image": grpc.StatusCode.INVALID_ARGUMENT,
    "image_too_large": grpc.StatusCode.INVALID_ARGUMENT,
    "invalid_option": grpc.StatusCode.INVALID_ARGUMENT,
    "bad_request": grpc.StatusCode.INVALID_ARGUMENT,
    "unauthorised": grpc.StatusCode.UNAUTHENTICATED,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "rate_limited": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "overloaded": grpc.StatusCode.UNAVAILABLE,  # unless it is a queue that is full, see below
    "timed_out": grpc.StatusCode.DEADLINE_EXCEEDED,
    "request_timeout": grpc.StatusCode.DEADLINE_EXCEEDED,
    "internal": grpc.StatusCode.INTERNAL,
}
NEVER_OVER_GRPC = {"method_not_allowed", "request_too_large", "head_too_large"}


def own_errors(module: object) -> list[type[FishgateError]]:
    return [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, FishgateError)]


def test_every_code_word_has_its_grpc_code() -> None:
    words = {kind.code for module in (fishgate_errors, gateway_errors) for kind in own_errors(module)}
    assert words - NEVER_OVER_GRPC == set(CODES)


@pytest.mark.parametrize("kind", REQUEST_ERRORS, ids=lambda kind: kind.code)
def test_an_error_of_a_request_has_its_code(kind: type[FishgateError]) -> None:
    assert status_code(kind("why")) is CODES[kind.code]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (gateway_errors.Unauthorised("why"), grpc.StatusCode.UNAUTHENTICATED),
        (gateway_errors.NotFound("why"), grpc.StatusCode.NOT_FOUND),
        (gateway_errors.BadRequest("why"), grpc.StatusCode.INVALID_ARGUMENT),
        (gateway_errors.RequestTimeout("why"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (gateway_errors.ShuttingDown("why"), grpc.StatusCode.UNAVAILABLE),
        (Unavailable("why"), grpc.StatusCode.UNAVAILABLE),
        (WaitingRoomFull("why"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Busy("why", retry_after_s=1.0), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (RateLimited("why", retry_after_s=1.0), grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, FishgateError) else value.name,
)
def test_an_error_of_the_door_has_its_code(error: FishgateError, code: grpc.StatusCode) -> None:
    assert status_code(error) is code


def test_what_is_wrong_is_told_three_times_alike() -> None:
    told = refusal(fishgate_errors.DamagedImage("cut off"))
    metadata = dict(told.metadata)
    status = Status.FromString(metadata["grpc-status-details-bin"])
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert told.details == status.message == "damaged_image: cut off"
    assert status.code == told.code.value[0]
    assert info.reason == metadata["fishgate-code"] == "damaged_image"
    assert (info.domain, dict(info.metadata)) == ("fishgate", {"http_status": "422"})
    assert len(status.details) == 1


def test_an_error_that_time_mends_says_when_to_come_again() -> None:
    status = Status.FromString(dict(refusal(Busy("full", retry_after_s=2.5)).metadata)["grpc-status-details-bin"])
    retry = RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 2500
