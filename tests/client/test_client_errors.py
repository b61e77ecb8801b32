"""What goes wrong: each error has its class and code, what passes is asked again, and patience has an end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fishgate_client import (
    BadReply,
    DamagedImage,
    EmptyImage,
    Fishgate,
    FishgateError,
    ImageTooLarge,
    InternalError,
    Overloaded,
    RateLimited,
    Refused,
    Retries,
    TimedOut,
    Unauthorised,
    Unreachable,
    UnreadableFile,
    UnsupportedImage,
)

from tests.client.ports import closed_port
from tests.client.replies import ANSWER, error
from tests.client.stand_in import StandIn
from tests.client.troubles import cut, fine, garbage, refusing

QUICK = Retries(attempts=3, first_wait_s=0.01, longest_wait_s=0.02)


@pytest.fixture
def fishgate(server: StandIn) -> Iterator[Fishgate]:
    with Fishgate(server.url, retries=QUICK) as client:
        yield client


ERRORS: dict[str, tuple[bytes, type[FishgateError], str]] = {
    "empty": (b"", EmptyImage, "empty_image"),
    "no picture": (b"#unsupported", UnsupportedImage, "unsupported_image"),
    "damaged": (b"#damaged", DamagedImage, "damaged_image"),
    "too large": (b"#large", ImageTooLarge, "image_too_large"),
    "broken server": (b"#broken", InternalError, "internal"),
    "a newer server's word": (b"#newer", Refused, "teapot"),
}


@pytest.mark.parametrize(("picture", "kind", "code"), ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_an_error_has_its_class_and_code(
    server: StandIn, picture: bytes, kind: type[FishgateError], code: str, torchserve: bool
) -> None:
    with Fishgate(server.url, torchserve=torchserve) as client, pytest.raises(kind) as caught:
        client.identify(picture)
    assert caught.value.code == code
    assert type(caught.value) is kind
    assert server.asked == {picture: 1}, "it was asked again, which does not help"


def test_an_error_tells_the_request_id(fishgate: Fishgate) -> None:
    with pytest.raises(DamagedImage) as caught:
        fishgate.identify(b"#damaged")
    assert caught.value.request_id == "r-1"


def test_a_file_that_is_not_there_is_an_error_of_its_own(fishgate: Fishgate, tmp_path: Path) -> None:
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(UnreadableFile, match=path.name):
            fishgate.identify(path)


PASSING = {
    "overloaded": refusing(503, "overloaded", **{"Retry-After": "0"}),
    "rate limited": refusing(429, "rate_limited", **{"Retry-After": "0"}),
    "timed out": refusing(504, "timed_out"),
    "cut off": cut(),
    "a proxy without server": garbage(502),
    "a busy proxy": garbage(503),
}


@pytest.mark.parametrize("trouble", PASSING.values(), ids=PASSING)
def test_what_passes_is_asked_again(fishgate: Fishgate, server: StandIn, trouble: Any) -> None:
    server.troubles.extend([trouble, trouble])
    assert fishgate.identify(b"a fish").label == "Carp"


LASTING = {
    "overloaded": (refusing(503, "overloaded"), Overloaded),
    "rate limited": (refusing(429, "rate_limited"), RateLimited),
    "timed out": (refusing(504, "timed_out"), TimedOut),
    "cut off": (cut(), Unreachable),
    "no server behind the proxy": (garbage(502), Unreachable),
}


@pytest.mark.parametrize(("trouble", "kind"), LASTING.values(), ids=LASTING)
def test_patience_has_an_end(fishgate: Fishgate, server: StandIn, trouble: Any, kind: type[FishgateError]) -> None:
    server.troubles.extend([trouble] * QUICK.attempts + [fine])
    with pytest.raises(kind):
        fishgate.identify(b"a fish")
    assert len(server.troubles) == 1, "it was asked once too often"


def test_a_long_wait_is_left_to_the_caller(fishgate: Fishgate, server: StandIn) -> None:
    server.troubles.append(refusing(429, "rate_limited", **{"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        fishgate.identify(b"a fish")
    assert caught.value.retry_after_s == 3600


FOREIGN = {
    "another program": (garbage(), "no JSON object"),
    "a wrong address": (garbage(404), "status 404"),
    "a moved server": (garbage(301), "give that address"),
    "half an answer": (garbage(200, '{"label": "Carp"}'), "'confidence' is missing"),
    "an answer of another kind": (garbage(200, json.dumps({**ANSWER, "confidence": "high"})), "'confidence' is 'high'"),
}


@pytest.mark.parametrize(("trouble", "message"), FOREIGN.values(), ids=FOREIGN)
def test_a_reply_that_is_none_of_ours_is_told(fishgate: Fishgate, server: StandIn, trouble: Any, message: str) -> None:
    server.troubles.append(trouble)
    with pytest.raises(BadReply, match=message):
        fishgate.identify(b"a fish")


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with Fishgate(url, retries=QUICK) as client, pytest.raises(Unreachable, match="cannot be reached"):
        client.models()


def test_no_reply_in_time(server: StandIn) -> None:
    server.hold_after = 0
    with Fishgate(server.url, timeout_s=0.1, retries=Retries(attempts=1)) as client, pytest.raises(TimedOut):
        client.identify(b"a fish")
    assert server.requests[0]["headers"]["X-Deadline-Ms"] == "100"


TORCHSERVE = {
    "full queue": (503, {"code": 503, "type": "ServiceUnavailableException", "message": "busy"}, Overloaded),
    "wrong token": (
        400,
        {"code": 400, "type": "InvalidKeyException", "message": "Token wrong"},
        Unauthorised,
    ),
    "bare failure": (500, {"code": 500, "type": "InternalServerException", "message": "x"}, InternalError),
}


@pytest.mark.parametrize(("status", "value", "kind"), TORCHSERVE.values(), ids=TORCHSERVE)
def test_torchserves_own_errors_are_understood(
    server: StandIn, status: int, value: dict[str, Any], kind: type[FishgateError]
) -> None:
    server.troubles.append(garbage(status, json.dumps(value)))
    with Fishgate(server.url, torchserve=True, retries=Retries(attempts=1)) as client, pytest.raises(kind):
        client.identify(b"a fish")


def test_an_error_has_the_servers_form() -> None:
    assert EmptyImage("nothing").as_json() == error(400, "empty_image", "nothing")[1]
