"""Packets and their replies come back as they were; what is none is refused."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from fishgate import packet
from fishgate.errors import EmptyImage, FishgateError, InternalError, InvalidOption, TimedOut
from fishgate.options import Options, options_to_fields
from fishgate.packet import PackedPicture
from tests.fishgate.opinions import expert_opinion
from tests.toys import card

PICTURES = (
    PackedPicture(b"\xff\xd8 the first", {"top_k": "3"}, 1_800_000_000.25, "first", "00-aa-bb-01"),
    PackedPicture(b"", {}),
    PackedPicture(b"FGP1 looks like a packet", options_to_fields(Options(labels=("Äsche", "Pike"))), None, "third"),
)


def body(header: bytes, rest: bytes = b"") -> bytes:
    return b"FGP1" + struct.pack(">I", len(header)) + header + rest


def test_pictures_come_back_as_they_were() -> None:
    written = packet.write_packet(PICTURES)
    assert packet.is_packet(written)
    read = packet.read_packet(written)
    assert (read.pictures, read.asks_for_description) == (PICTURES, False)


def test_a_packet_in_a_bytearray_is_read() -> None:
    read = packet.read_packet(bytearray(packet.write_packet(PICTURES)))
    assert read.pictures == PICTURES
    assert {type(one.picture) for one in read.pictures} == {bytes}


def test_the_bytes_are_those_of_the_form() -> None:
    """What other programs may write by hand."""
    header = b'{"pictures":[{"bytes":3,"options":{"top_k":"1"},"deadline":5.5,"id":"a"},{"bytes":2}]}'
    first, second = packet.read_packet(body(header, b"abcde")).pictures
    assert first == PackedPicture(b"abc", {"top_k": "1"}, 5.5, "a")
    assert second == PackedPicture(b"de", {})


def test_a_worker_can_be_asked_to_describe_itself() -> None:
    assert packet.read_packet(packet.write_describe()).asks_for_description
    assert packet.write_describe() == body(b'{"describe":true}')


ONE = b'{"pictures":[{"bytes":3}]}'
MALFORMED = {
    "only the magic word": (b"FGP1", "begins with 'FGP1' and the length of its header"),
    "a cut length": (b"FGP1\0\0", "begins with"),
    "another magic word": (b"FGP2" + body(ONE, b"abc")[4:], "begins with 'FGP1'"),
    "a header that ends too soon": (body(ONE, b"abc")[:20], "header is wrong"),
    "a header that is no JSON": (body(b"pictures"), "header is wrong: the whole record: Invalid JSON"),
    "an unknown key": (body(b'{"pictures":[{"bytes":3,"colour":1}]}', b"abc"), "unknown key 'pictures.0.colour'"),
    "a negative length": (body(b'{"pictures":[{"bytes":-3}]}'), "pictures.0.bytes: .*greater than or equal to 0"),
    "too few bytes": (body(ONE, b"ab"), "the packet has 36 bytes; its header speaks of 37"),
    "too many bytes": (body(ONE, b"abcd"), "the packet has 38 bytes; its header speaks of 37"),
    "no pictures": (body(b'{"pictures":[]}'), "either hold pictures or ask for a description"),
    "pictures and a wish": (body(b'{"pictures":[{"bytes":0}],"describe":true}'), "either hold pictures or ask"),
    "too many pictures": (body(b'{"pictures":[' + b",".join([b'{"bytes":0}'] * 65) + b"]}"), "at most 64 items"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_packet_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        packet.read_packet(content)


def test_a_packet_that_is_too_large_is_refused() -> None:
    with pytest.raises(InvalidOption, match="the packet has 64,000,001 bytes; allowed are 64,000,000"):
        packet.read_packet(b"FGP1" + bytes(packet.MAX_BYTES - 3))


@pytest.mark.parametrize("content", [b"", b"FGP", b"\xff\xd8\xff", "FGP1 as text"])
def test_other_bodies_are_no_packets(content: Any) -> None:
    assert not packet.is_packet(content)


def test_a_picture_is_a_request_with_its_options() -> None:
    request = PACKED.request(now_unix_s=99.9)
    assert (request.picture, request.options) == (b"fish", Options(top_k=3))


PACKED = PackedPicture(b"fish", {"top_k": "3"}, 100.0)


@pytest.mark.parametrize("now_s", [100.0, 101.0])
def test_a_picture_whose_deadline_has_passed_is_too_late(now_s: float) -> None:
    with pytest.raises(TimedOut, match="before its picture's turn came"):
        PACKED.request(now_unix_s=now_s)


def test_a_wrong_option_is_the_error_of_its_picture() -> None:
    with pytest.raises(InvalidOption, match="top_k must be a whole number"):
        PackedPicture(b"fish", {"top_k": "many"}).request(now_unix_s=0.0)


def test_replies_come_back_as_they_were() -> None:
    results = [expert_opinion(0.9), EmptyImage("nothing"), expert_opinion(0.3), TimedOut("late")]
    read = packet.read_replies(packet.write_replies(results), pictures=4)
    assert [shown(one) for one in read] == [shown(one) for one in results]


def shown(result: object) -> object:
    return (type(result), str(result)) if isinstance(result, FishgateError) else result


NO_REPLIES = {
    "no JSON": (b"sorry", "cannot be read: the whole record: Invalid JSON"),
    "no list": (b'{"error": 1}', "cannot be read: the whole record"),
    "not an opinion": (b'[{"label": "x"}, 2]', "cannot be read"),
    "too few": (b"[]", "0 replies to a packet of 2 pictures"),
}


@pytest.mark.parametrize(("content", "message"), NO_REPLIES.values(), ids=NO_REPLIES)
def test_a_reply_that_is_none_is_the_servers_fault(content: bytes, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        packet.read_replies(content, pictures=2)


@pytest.mark.parametrize("kind", ["expert", "zero_shot"])
def test_a_description_comes_back_as_it_was(kind: str) -> None:
    description = packet.Description(card=card(kind), species_lists=("lake", "sea"), pictures_at_once=4)
    assert packet.read_description(packet.write_description(description)) == description


def test_what_is_no_description_is_the_servers_fault() -> None:
    with pytest.raises(InternalError, match="description cannot be read: card: Field required"):
        packet.read_description(b'{"species_lists": [], "pictures_at_once": 8}')
