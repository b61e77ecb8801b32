"""Files of tensors that a model card names, each with its hash.

Owns the record of such a file and the check that it is still the one that the card was written for.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import Field

from fishgate.errors import WeightsError
from fishgate.record import Record


class Weights(Record):
    """The weights file beside the card, in safetensors form, and its SHA-256 in hex."""

    file: str = Field(pattern=r"^[\w.-]+\.safetensors$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


def checked_file(weights: Weights, folder: Path, *, owner: str, what: str = "weights") -> Path:
    """Return the path of the file; raise WeightsError if it is missing or differs from the card of ``owner``.

    ``what`` says in the message what the file holds, in the plural.
    """
    path = folder / weights.file
    if not path.is_file():
        raise WeightsError(f"the {what} {weights.file!r} that the card of {owner!r} names are missing")
    seen = sha256_of(path)
    if seen != weights.sha256:
        raise WeightsError(
            f"the {what} of {owner!r} have SHA-256 {seen}, the card says {weights.sha256}; "
            "restore the file or write the card anew"
        )
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
