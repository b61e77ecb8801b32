"""Requests are read, and replies written, exactly as agreed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fishgate import wire
from fishgate.errors import (
    REQUEST_ERRORS,
    EmptyImage,
    FishgateError,
    ImageTooLarge,
    InternalError,
    InvalidOption,
    UnsupportedImage,
)
from fishgate.options import Options
from fishgate.wire import PICTURE_FIELDS, HandOver, hand_over_from_json, opinion_from_json, request_from_fields
from tests.fishgate.opinions import expert_opinion

PICTURE = b"\xff\xd8\xff a picture"
OPINION = json.loads(wire.reply(expert_opinion()))

REFUSED = {
    "nothing": ({}, EmptyImage, "carries no picture; send it as raw body or in the field 'data'"),
    "options only": ({"top_k": b"3"}, EmptyImage, "carries no picture"),
    "two pictures": ({"data": PICTURE, "image": PICTURE}, InvalidOption, "one picture .* 'data' and 'image'"),
    "unknown option": ({"data": PICTURE, "colour": b"red"}, InvalidOption, "unknown option 'colour'"),
    "wrong option": ({"data": PICTURE, "top_k": b"many"}, InvalidOption, "top_k must be"),
    "option in Latin-1": ({"data": PICTURE, "labels": b'["\xe9"]'}, InvalidOption, "'labels' is not text in UTF-8"),
    "endless name": ({"data": PICTURE, "x" * 999: b"\xff"}, InvalidOption, "'x{50}' is not text"),
}

UNREADABLE = {
    "nothing": (b"", "no JSON object"),
    "text": (b"Prediction failed", "no JSON object"),
    "no UTF-8": (b"\xff\xfe\xfd", "no JSON object"),
    "a list": (b"[]", "no JSON object"),
    "missing fields": (b'{"source": "expert"}', "cannot be read: model: Field required"),
    "unknown field": (json.dumps({**OPINION, "mood": "good"}).encode(), "unknown key 'mood'"),
    "no certainty": (
        json.dumps({k: v for k, v in OPINION.items() if k != "certainty"}).encode(),
        "certainty: Field req",
    ),
    "no candidates": (json.dumps({**OPINION, "candidates": []}).encode(), "candidates: .*at least 1 item"),
    "no number": (wire.reply(expert_opinion()).replace(b"0.93", b"NaN"), "certainty"),
}

BROKEN_ERRORS = {
    "text": {"error": "Prediction failed"},
    "null": {"error": None},
    "no code": {"error": {"status": 500, "message": "?"}},
    "strange status": {"error": {"status": "bad", "code": "internal", "message": "?"}},
}


@pytest.mark.parametrize("name", PICTURE_FIELDS)
def test_a_picture_is_taken_from_each_of_its_field_names(name: str) -> None:
    assert request_from_fields({name: PICTURE}) == wire.Request(PICTURE, Options())


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_fields_may_come_as_any_kind_of_bytes(kind: type) -> None:
    request = request_from_fields({"data": kind(PICTURE), "top_k": kind(b"3")})
    assert request == wire.Request(PICTURE, Options(top_k=3))
    assert type(request.picture) is bytes


def test_fields_may_come_as_text() -> None:
    request = request_from_fields({"body": "text", "threshold": "0.5", "labels": '["鱒"]'})
    assert request == wire.Request(b"text", Options(threshold=0.5, labels=("鱒",)))


def test_a_form_carries_all_options() -> None:
    fields = {"data": PICTURE, "top_k": b"2", "threshold": b"0.25", "labels": '["Saumon d\'élevage"]'.encode()}
    assert request_from_fields(fields).options == Options(top_k=2, labels=("Saumon d'élevage",), threshold=0.25)


def test_an_empty_picture_is_left_to_the_decoder() -> None:
    assert request_from_fields({"data": b""}).picture == b""


def test_the_servers_own_field_is_no_option() -> None:
    assert request_from_fields({"data": PICTURE, "model_name": b"zero_shot"}).options == Options()


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_request_is_refused(fields: dict[str, Any], error: type[FishgateError], message: str) -> None:
    with pytest.raises(error, match=message):
        request_from_fields(fields)


@pytest.mark.parametrize("error", REQUEST_ERRORS, ids=lambda error: error.code)
def test_an_error_has_the_agreed_json(error: type[FishgateError]) -> None:
    expected = {"error": {"status": error.status, "code": error.code, "message": "ein Fisch – größer"}}
    assert json.dumps(json.loads(wire.reply(error("ein Fisch – größer")))) == json.dumps(expected)


@pytest.mark.parametrize("error", REQUEST_ERRORS, ids=lambda error: error.code)
def test_a_reply_that_is_an_error_raises_it(error: type[FishgateError]) -> None:
    body = wire.reply(error("what was wrong"))
    for read in (opinion_from_json, hand_over_from_json):
        with pytest.raises(error, match="what was wrong"):
            read(body)


def test_an_opinion_survives_the_wire() -> None:
    assert opinion_from_json(wire.reply(expert_opinion())) == expert_opinion()


@pytest.mark.parametrize("ticket", [None, "0" * 32], ids=["accepted", "deferred"])
def test_a_hand_over_survives_the_wire(ticket: str | None) -> None:
    hand_over = HandOver(opinion=expert_opinion(), options={"top_k": "3", "labels": '["鱒"]'}, picture=ticket)
    assert hand_over_from_json(wire.reply(hand_over)) == hand_over


@pytest.mark.parametrize(("body", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_reply_that_is_no_opinion_is_an_internal_error(body: bytes, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        opinion_from_json(body)


@pytest.mark.parametrize("value", BROKEN_ERRORS.values(), ids=BROKEN_ERRORS)
@pytest.mark.parametrize("read", [opinion_from_json, hand_over_from_json], ids=["opinion", "hand-over"])
def test_an_error_that_is_not_ours_is_an_internal_error(read: Any, value: object) -> None:
    with pytest.raises(InternalError):
        read(json.dumps(value).encode())


def test_an_unknown_code_in_a_reply_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="strange"):
        opinion_from_json(b'{"error": {"status": 418, "code": "teapot", "message": "strange"}}')


def test_a_plain_opinion_where_a_hand_over_is_due_names_the_headers_that_cause_it() -> None:
    with pytest.raises(InvalidOption, match="headers 'explain' and 'url_path' are TorchServe's own"):
        hand_over_from_json(wire.reply(expert_opinion()))


def test_a_hand_over_that_cannot_be_read_is_an_internal_error() -> None:
    with pytest.raises(InternalError, match="cannot be read"):
        hand_over_from_json(json.dumps({"opinion": OPINION}).encode())


def test_errors_of_pictures_keep_their_kind_over_the_wire() -> None:
    for error in (UnsupportedImage("a"), ImageTooLarge("b")):
        with pytest.raises(type(error), match=f"^{error}$"):
            opinion_from_json(wire.reply(error))
