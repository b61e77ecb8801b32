"""Multipart forms, part by part as they come.

Owns what a part is (a picture or an option), how many there may be and how large. It does not read from the
network, nor know what options mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from fishgate.errors import FishgateError, ImageTooLarge, InvalidOption
from fishgate.options import OPTION_NAMES
from fishgate.wire import PICTURE_FIELDS
from gateway.errors import BadRequest
from gateway.places import Holding

MOST_OPTIONS = 16
"""More than there are options, so that an unknown one is told by its name."""


@dataclass(frozen=True)
class FormLimits:
    """How large a picture and an option may be, in bytes, and how many pictures a form may hold."""

    picture_bytes: int
    option_bytes: int
    pictures: int


@dataclass
class Part:
    """One part of a form. Of a picture that was refused nothing is kept but the reason."""

    name: str = ""
    file: str | None = None
    is_picture: bool = False
    content: bytes = b""
    refusal: FishgateError | None = None
    pieces: list[bytes] = field(default_factory=list, repr=False)
    size: int = 0


def is_form(content_type: str) -> bool:
    """Tell whether the body of this type is a multipart form."""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


class FormReader:
    """Turns the bytes of a form into its parts.

    What the pictures take of memory is held in ``holding``. Raises BadRequest for what is no form, and InvalidOption
    for too large or too many options.
    """

    def __init__(self, content_type: str, limits: FormLimits, holding: Holding) -> None:
        self._limits = limits
        self._holding = holding
        self._parser = _parser(content_type, self)
        self._whole: list[Part] = []
        self._part = Part()
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._options = 0
        self._pictures = 0
        self._is_at_end = False
        self._trouble: FishgateError | None = None

    def feed(self, data: bytes) -> list[Part]:
        """Take the next bytes; return the parts that they have made whole, in order.

        What is wrong behind these is raised by the next call, so that they are not lost.
        """
        self._raise_trouble()
        self._whole = []
        try:
            self._parser.write(data)
        except FormParserError as error:
            self._trouble = BadRequest(f"the multipart form cannot be read: {str(error)[:100]}")
        except FishgateError as error:
            self._trouble = error
        if not self._whole:
            self._raise_trouble()
        return self._whole

    def finish(self) -> None:
        """Raise BadRequest unless the form has come to its end."""
        self._raise_trouble()
        if not self._is_at_end:
            raise BadRequest("the multipart form is cut off: its closing boundary is missing")

    def _raise_trouble(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def on_part_begin(self) -> None:
        """A part begins."""
        self._part = Part()
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's name has come."""
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's value has come."""
        self._value += data[start:end]

    def on_header_end(self) -> None:
        """A header is whole."""
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def on_headers_finished(self) -> None:
        """The part's content begins: it must say now what it is."""
        _, told = parse_options_header(self._disposition.decode("latin-1"))
        if b"name" not in told:
            raise BadRequest("a part of the multipart form has no name")
        part = self._part
        part.name = told[b"name"].decode("utf-8", "replace")
        part.file = told[b"filename"].decode("utf-8", "replace") if b"filename" in told else None
        part.is_picture = part.name in PICTURE_FIELDS or (part.file is not None and part.name not in OPTION_NAMES)
        self._count(part)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Some of the part's content has come."""
        part = self._part
        part.size += end - start
        if part.is_picture:
            self._take_picture(part, data, start, end)
        elif part.size > self._limits.option_bytes:
            raise InvalidOption(f"the option {part.name[:50]!r} has more than {self._limits.option_bytes:,} bytes")
        else:
            part.pieces.append(data[start:end])

    def on_part_end(self) -> None:
        """The part is whole."""
        part = self._part
        part.content = b"".join(part.pieces)
        part.pieces.clear()
        self._whole.append(part)

    def on_end(self) -> None:
        """The form is whole."""
        self._is_at_end = True

    def _count(self, part: Part) -> None:
        self._pictures += part.is_picture
        self._options += not part.is_picture
        if self._options > MOST_OPTIONS:
            raise InvalidOption(f"a form may hold {MOST_OPTIONS} options; there are more")
        if self._pictures > self._limits.pictures:
            raise InvalidOption(f"a form may hold {self._limits.pictures} pictures here; there are more")

    def _take_picture(self, part: Part, data: bytes, start: int, end: int) -> None:
        if part.refusal is not None:
            return
        try:
            if part.size > self._limits.picture_bytes:
                raise ImageTooLarge(f"the picture has too many bytes; allowed are {self._limits.picture_bytes:,}")
            self._holding.add(end - start)
            part.pieces.append(data[start:end])
        except FishgateError as error:
            self._holding.give_back(part.size - (end - start))
            part.refusal = error
            part.pieces.clear()


def _parser(content_type: str, reader: FormReader) -> MultipartParser:
    _, told = parse_options_header(content_type)
    if not told.get(b"boundary"):
        raise BadRequest("the Content-Type of a multipart form must name its boundary")
    try:
        return MultipartParser(
            told[b"boundary"],
            {
                "on_part_begin": reader.on_part_begin,
                "on_part_data": reader.on_part_data,
                "on_part_end": reader.on_part_end,
                "on_header_field": reader.on_header_field,
                "on_header_value": reader.on_header_value,
                "on_header_end": reader.on_header_end,
                "on_headers_finished": reader.on_headers_finished,
                "on_end": reader.on_end,
            },
        )
    except FormParserError as error:
        raise BadRequest(f"the multipart form cannot be read: {error}") from None
