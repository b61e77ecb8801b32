"""Pictures that look the same and differ in their bytes, so that no server answers them from memory."""

from __future__ import annotations

_START_OF_IMAGE = b"\xff\xd8"
_COMMENT = b"\xff\xfe"
_NUMBER_BYTES = 8


def numbered(jpeg: bytes, number: int) -> bytes:
    """Return the JPEG with ``number`` in a comment segment, which every decoder passes over.

    Costs one copy. Raises ValueError for what is no JPEG.
    """
    if not jpeg.startswith(_START_OF_IMAGE):
        raise ValueError(f"only a JPEG can be numbered, got bytes that begin with {jpeg[:2].hex()!r}")
    length = (2 + _NUMBER_BYTES).to_bytes(2, "big")  # it counts itself
    return b"".join((_START_OF_IMAGE, _COMMENT, length, number.to_bytes(_NUMBER_BYTES, "big"), jpeg[2:]))
