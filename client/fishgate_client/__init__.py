"""Fishgate's client: which fish are in these photographs?

``Fishgate`` and ``AsyncFishgate`` ask a server; ``python -m fishgate_client`` is the command for whole folders.
Importing this package loads no HTTP library: it comes with the class that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fishgate_client.answer import Answer, Candidate, Certificate, ExpertView, ModelVersions
from fishgate_client.catalogue import Model, Models, Species, Taxon
from fishgate_client.errors import (
    BadReply,
    DamagedImage,
    EmptyImage,
    FishgateError,
    ImageTooLarge,
    InternalError,
    InvalidOption,
    Overloaded,
    PictureError,
    RateLimited,
    Refused,
    TimedOut,
    TransientError,
    Unauthorised,
    Unreachable,
    UnreadableFile,
    UnsupportedImage,
)
from fishgate_client.result import Result
from fishgate_client.retries import Retries
from fishgate_client.version import VERSION

if TYPE_CHECKING:
    from fishgate_client.async_client import AsyncFishgate
    from fishgate_client.client import Fishgate

__all__ = [
    "VERSION",
    "Answer",
    "AsyncFishgate",
    "BadReply",
    "Candidate",
    "Certificate",
    "DamagedImage",
    "EmptyImage",
    "ExpertView",
    "Fishgate",
    "FishgateError",
    "ImageTooLarge",
    "InternalError",
    "InvalidOption",
    "Model",
    "ModelVersions",
    "Models",
    "Overloaded",
    "PictureError",
    "RateLimited",
    "Refused",
    "Result",
    "Retries",
    "Species",
    "Taxon",
    "TimedOut",
    "TransientError",
    "Unauthorised",
    "Unreachable",
    "UnreadableFile",
    "UnsupportedImage",
]

_LOADED_LATE = {"Fishgate": "client", "AsyncFishgate": "async_client"}


def __getattr__(name: str) -> Any:
    """Load the two classes when they are first asked for."""
    if name not in _LOADED_LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LOADED_LATE[name]}"), name)
