"""Every error that the client raises, with its code word and HTTP status.

FishgateError
├── PictureError            the picture cannot be identified; asking again does not help
│   ├── EmptyImage          400 empty_image
│   ├── UnsupportedImage    415 unsupported_image
│   ├── DamagedImage        422 damaged_image
│   ├── ImageTooLarge       413 image_too_large
│   └── UnreadableFile      400 unreadable_file, found out here: nothing was sent
├── InvalidOption           400 invalid_option, wrong for every picture alike
├── Unauthorised            401 unauthorised, the key is missing or wrong
├── Refused                 4xx, any other refusal; ``code`` says which
├── TransientError          asking again may help, and was tried
│   ├── RateLimited         429 rate_limited
│   ├── Overloaded          503 overloaded
│   ├── TimedOut            504 timed_out, or no reply in time
│   └── Unreachable         503 unreachable, no connection, or it broke
├── InternalError           500 internal, or any other 5xx
└── BadReply                502 bad_reply, the reply is none of Fishgate's

The code of an error is the server's own word; the class is chosen by it, or by the status where the code is not
known here.
"""

from __future__ import annotations

from typing import Any, ClassVar


class FishgateError(Exception):
    """Root of all errors; ``str(error)`` is fit to be shown.

    ``code`` and ``status`` are the server's where it sent any. ``retry_after_s`` is when it wants to be asked
    again, ``request_id`` what it calls the request in its log; None where it told none.
    """

    default_code: ClassVar[str] = "internal"
    default_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retry_after_s: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.status = status or self.default_status
        self.retry_after_s = retry_after_s
        self.request_id = request_id

    def as_json(self) -> dict[str, Any]:
        """Return the error in the form that the server uses."""
        return {"error": {"status": self.status, "code": self.code, "message": str(self)}}


class PictureError(FishgateError):
    """The picture cannot be identified."""

    default_code = "unsupported_image"
    default_status = 415


class EmptyImage(PictureError):
    """There are no picture bytes."""

    default_code = "empty_image"
    default_status = 400


class UnsupportedImage(PictureError):
    """The bytes are not a picture of an accepted format."""


class DamagedImage(PictureError):
    """The format is accepted, but the picture cannot be decoded."""

    default_code = "damaged_image"
    default_status = 422


class ImageTooLarge(PictureError):
    """The picture has too many bytes or too many pixels."""

    default_code = "image_too_large"
    default_status = 413


class UnreadableFile(PictureError):
    """The file is not there or may not be read."""

    default_code = "unreadable_file"
    default_status = 400


class InvalidOption(FishgateError):
    """An option is unknown, malformed or out of range."""

    default_code = "invalid_option"
    default_status = 400


class Unauthorised(FishgateError):
    """The server wants a key, or does not know this one."""

    default_code = "unauthorised"
    default_status = 401


class Refused(FishgateError):
    """The server does not take such a request."""

    default_code = "bad_request"
    default_status = 400


class TransientError(FishgateError):
    """What may be better in a moment."""


class RateLimited(TransientError):
    """This key asks more often than it may."""

    default_code = "rate_limited"
    default_status = 429


class Overloaded(TransientError):
    """The server has too much to do, or is about to end."""

    default_code = "overloaded"
    default_status = 503


class TimedOut(TransientError):
    """No answer came in time."""

    default_code = "timed_out"
    default_status = 504


class Unreachable(TransientError):
    """The server cannot be connected to, or the connection broke before the reply was whole."""

    default_code = "unreachable"
    default_status = 503


class InternalError(FishgateError):
    """Something broke in the server."""


class BadReply(FishgateError):
    """What came back is no reply of Fishgate's: another program, a proxy, or a newer server."""

    default_code = "bad_reply"
    default_status = 502


_CLASSES: tuple[type[FishgateError], ...] = (
    EmptyImage,
    UnsupportedImage,
    DamagedImage,
    ImageTooLarge,
    UnreadableFile,
    InvalidOption,
    Unauthorised,
    Refused,
    RateLimited,
    Overloaded,
    TimedOut,
    Unreachable,
    InternalError,
    BadReply,
)
_BY_CODE = {kind.default_code: kind for kind in _CLASSES}
_BY_STATUS: dict[int, type[FishgateError]] = {
    401: Unauthorised,
    403: Unauthorised,
    408: TimedOut,
    413: ImageTooLarge,
    415: UnsupportedImage,
    422: DamagedImage,
    429: RateLimited,
    502: Unreachable,  # a proxy that does not reach the server
    503: Overloaded,
    504: TimedOut,
}


def class_for(code: str | None, status: int) -> type[FishgateError]:
    """Return the class of an error that the server reported."""
    known = _BY_CODE.get(code or "")
    if known is not None:
        return known
    # A word from a newer server, or a status from a proxy: the status still tells the kind.
    return _BY_STATUS.get(status) or (Refused if 400 <= status < 500 else InternalError)
