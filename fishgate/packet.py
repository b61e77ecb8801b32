"""Packets: several pictures in one request to a worker, and several opinions in its reply.

Owns their bytes. A packet is the magic word, the length of the header (4 bytes, big-endian), the
header as JSON, and the pictures one after the other. It knows no server: the gateway writes packets
and reads replies, a worker the reverse. Why packets: docs/decisions/packets.md.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, NonNegativeInt, TypeAdapter, ValidationError

from fishgate.answer import Opinion
from fishgate.errors import FishgateError, InternalError, InvalidOption, TimedOut, error_for_code
from fishgate.model_card import ModelCard
from fishgate.options import options_from_fields
from fishgate.record import Record, explain
from fishgate.wire import ErrorReply, Request, error_reply

MAGIC = b"FGP1"
"""No accepted picture begins so."""

MAX_PICTURES = 64
MAX_BYTES = 64_000_000
CONTENT_TYPE = "application/octet-stream"

_LENGTH = struct.Struct(">I")
_BODY_STARTS_AT = len(MAGIC) + _LENGTH.size


@dataclass(frozen=True)
class PackedPicture:
    """One picture of a packet: its bytes, its options as form fields, and whose it is.

    ``deadline_unix_s`` is by the wall clock, which gateway and worker share as they share a machine; a
    picture whose deadline has passed is not worth the work. ``traceparent`` is W3C's header.
    """

    picture: bytes
    fields: dict[str, str]
    deadline_unix_s: float | None = None
    request_id: str = ""
    traceparent: str = ""

    def request(self, *, now_unix_s: float) -> Request:
        """Return what is asked; raise TimedOut if it is too late, InvalidOption if an option is wrong."""
        if self.deadline_unix_s is not None and now_unix_s >= self.deadline_unix_s:
            raise TimedOut("the time limit of the request passed before its picture's turn came")
        return Request(picture=self.picture, options=options_from_fields(self.fields))


@dataclass(frozen=True)
class Packet:
    """What a packet holds: pictures, or the wish that the worker describes itself."""

    pictures: tuple[PackedPicture, ...] = ()

    @property
    def asks_for_description(self) -> bool:
        """Whether the reply is a ``Description`` instead of opinions."""
        return not self.pictures


class Description(Record):
    """What a worker says of itself: its card, the names of its species lists, and the size of its passes."""

    card: ModelCard
    species_lists: tuple[str, ...]
    pictures_at_once: int = Field(ge=1)


class _Entry(Record):
    bytes: NonNegativeInt
    options: dict[str, str] = Field(default_factory=dict)
    deadline: float | None = None
    id: str = ""
    trace: str = ""


class _Header(Record):
    pictures: tuple[_Entry, ...] = Field(default=(), max_length=MAX_PICTURES)
    describe: bool = False


# "left_to_right": an opinion that fits is taken at once, which halves the time of reading.
_REPLIES: TypeAdapter[list[Opinion | ErrorReply]] = TypeAdapter(
    list[Annotated[Opinion | ErrorReply, Field(union_mode="left_to_right")]]
)


def is_packet(body: bytes | bytearray | str) -> bool:
    """Tell whether these bytes mean to be a packet."""
    return isinstance(body, (bytes, bytearray)) and body.startswith(MAGIC)


def write_packet(pictures: Sequence[PackedPicture]) -> bytes:
    """Return the packet of 1 to ``MAX_PICTURES`` pictures."""
    entries = tuple(
        _Entry(
            bytes=len(one.picture),
            options=one.fields,
            deadline=one.deadline_unix_s,
            id=one.request_id,
            trace=one.traceparent,
        )
        for one in pictures
    )
    return _packed(_Header(pictures=entries), [one.picture for one in pictures])


def write_describe() -> bytes:
    """Return the packet that asks a worker to describe itself."""
    return _packed(_Header(describe=True), [])


def read_packet(body: bytes | bytearray) -> Packet:
    """Read a packet; raise InvalidOption if it is none, or not a whole one."""
    if len(body) > MAX_BYTES:
        raise InvalidOption(f"the packet has {len(body):,} bytes; allowed are {MAX_BYTES:,}")
    header, starts_at = _read_header(body)
    if header.describe == bool(header.pictures):
        raise InvalidOption("the packet must either hold pictures or ask for a description")
    expected = starts_at + sum(entry.bytes for entry in header.pictures)
    if len(body) != expected:
        raise InvalidOption(f"the packet has {len(body):,} bytes; its header speaks of {expected:,}")
    return Packet(tuple(_cut(body, header.pictures, starts_at)))


def write_replies(results: Sequence[Opinion | FishgateError]) -> bytes:
    """Return the reply to a packet: a JSON list with an opinion or an error for each picture, in order."""
    records = [error_reply(result) if isinstance(result, FishgateError) else result for result in results]
    return b"[" + b",".join(record.model_dump_json().encode() for record in records) + b"]"


def read_replies(body: bytes, *, pictures: int) -> list[Opinion | FishgateError]:
    """Read the reply to a packet of so many pictures; raise InternalError if it is not one."""
    try:
        records = _REPLIES.validate_json(body)
    except ValidationError as error:
        raise InternalError(f"a worker's reply to a packet cannot be read: {explain(error)}") from None
    if len(records) != pictures:
        raise InternalError(f"a worker gave {len(records)} replies to a packet of {pictures} pictures")
    return [
        error_for_code(record.error.code, record.error.message) if isinstance(record, ErrorReply) else record
        for record in records
    ]


def write_description(description: Description) -> bytes:
    """Return a worker's reply to the wish that it describes itself."""
    return description.model_dump_json(by_alias=True, exclude_none=True).encode()


def read_description(body: bytes) -> Description:
    """Read how a worker describes itself; raise InternalError if it does not."""
    try:
        return Description.model_validate_json(body)
    except ValidationError as error:
        raise InternalError(f"a worker's description cannot be read: {explain(error)}") from None


def _packed(header: _Header, pictures: Sequence[bytes]) -> bytes:
    text = header.model_dump_json(exclude_defaults=True).encode()
    return b"".join([MAGIC, _LENGTH.pack(len(text)), text, *pictures])


def _read_header(body: bytes | bytearray) -> tuple[_Header, int]:
    """Return the header and where the first picture begins."""
    if len(body) < _BODY_STARTS_AT or not is_packet(body):
        raise InvalidOption(f"a packet begins with {MAGIC.decode()!r} and the length of its header")
    starts_at = _BODY_STARTS_AT + _LENGTH.unpack_from(body, len(MAGIC))[0]
    try:
        return _Header.model_validate_json(bytes(body[_BODY_STARTS_AT:starts_at])), starts_at
    except ValidationError as error:
        raise InvalidOption(f"the packet's header is wrong: {explain(error)}") from None


def _cut(body: bytes | bytearray, entries: Sequence[_Entry], starts_at: int) -> list[PackedPicture]:
    view, pictures = memoryview(body), []
    for entry in entries:
        ends_at = starts_at + entry.bytes
        pictures.append(
            PackedPicture(
                picture=bytes(view[starts_at:ends_at]),
                fields=dict(entry.options),
                deadline_unix_s=entry.deadline,
                request_id=entry.id,
                traceparent=entry.trace,
            )
        )
        starts_at = ends_at
    return pictures
