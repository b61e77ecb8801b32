"""Every error Fishgate reports, with its stable code word and HTTP status.

FishgateError
├── PictureError            what the client sent cannot be identified
│   ├── EmptyImage          400 empty_image
│   ├── UnsupportedImage    415 unsupported_image
│   ├── DamagedImage        422 damaged_image
│   └── ImageTooLarge       413 image_too_large
├── InvalidOption           400 invalid_option
├── ServiceError            the server could not do its part
│   ├── Overloaded          503 overloaded
│   ├── TimedOut            504 timed_out
│   └── InternalError       500 internal
└── LoadError               500 internal, an archive or a model pack that must not be served
    ├── CardError           the model card is wrong in itself
    ├── WeightsError        the weights are not the ones that the card describes
    ├── ListError           a species list is wrong in itself, or its embeddings are not its own
    └── SettingError        a worker setting is unknown or has a wrong value

This module knows codes and statuses only; how they travel is the business of ``fishgate.wire``.
"""

from __future__ import annotations

from typing import ClassVar


class FishgateError(Exception):
    """Root of all errors; ``str(error)`` is fit to be shown to the client."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500


class PictureError(FishgateError):
    """The picture that was sent cannot be identified."""

    code = "unsupported_image"
    status = 415


class EmptyImage(PictureError):
    """The request carries no picture bytes."""

    code = "empty_image"
    status = 400


class UnsupportedImage(PictureError):
    """The bytes are not a picture of an accepted format."""

    code = "unsupported_image"
    status = 415


class DamagedImage(PictureError):
    """The format is accepted, but the picture cannot be decoded."""

    code = "damaged_image"
    status = 422


class ImageTooLarge(PictureError):
    """The picture has too many bytes or too many pixels."""

    code = "image_too_large"
    status = 413


class InvalidOption(FishgateError):
    """An option of the request is unknown, malformed or out of range."""

    code = "invalid_option"
    status = 400


class ServiceError(FishgateError):
    """The server could not do its part; trying again may help."""


class Overloaded(ServiceError):
    """A queue is full, or no worker is there to take the request."""

    code = "overloaded"
    status = 503


class TimedOut(ServiceError):
    """An answer did not come within the time limit."""

    code = "timed_out"
    status = 504


class InternalError(ServiceError):
    """Something broke that the client cannot mend."""


class LoadError(FishgateError):
    """A model must not be served; the message says what to mend."""


class CardError(LoadError):
    """The model card is malformed or contradicts itself."""


class WeightsError(LoadError):
    """The weights are not the ones that the model card describes."""


class ListError(LoadError):
    """A species list is malformed, or its embeddings are of another list or model."""


class SettingError(LoadError):
    """A worker setting is unknown or has a value that is not allowed."""


REQUEST_ERRORS: tuple[type[FishgateError], ...] = (
    EmptyImage,
    UnsupportedImage,
    DamagedImage,
    ImageTooLarge,
    InvalidOption,
    Overloaded,
    TimedOut,
    InternalError,
)
"""The errors that a request can be answered with, one for each code."""

_BY_CODE = {error.code: error for error in REQUEST_ERRORS}


def error_for_code(code: str, message: str) -> FishgateError:
    """Return the error that ``code`` names; an unknown code becomes ``InternalError``."""
    return _BY_CODE.get(code, InternalError)(message)
