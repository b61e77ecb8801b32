"""Perceptual hashes: pictures that look alike have nearly the same bits.

Owns the hash of a picture in its eight positions, and which hashes are close. It knows grey pixels
only, no files.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_SIDE = 16  # 16 × 16 frequencies make 256 bits; 64 bits merge unlike fish on the same plain ground
GREY_PX = 4 * HASH_SIDE
BLOCK = 256  # rows compared at once: bounds the memory to BLOCK × pictures

Hashes = NDArray[np.uint64]
"""The hash of a picture upright, then in the seven positions that Pillow can put it: shape (8, 4)."""


def hash_picture(grey: Image.Image) -> Hashes:
    """Hash a grey picture of GREY_PX × GREY_PX in its eight positions.

    Each bit says whether a low frequency of the cosine transform is above the median: the DCT-based
    hash of Zauner (2010), Implementation and Benchmarking of Perceptual Image Hash Functions.
    """
    positions = [grey, *(grey.transpose(turn) for turn in Image.Transpose)]
    return np.concatenate([_bits(position) for position in positions])


def close_hashes(hashes: NDArray[np.uint64], distance: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs (first < second) of which some position of one is within ``distance`` bits of the other.

    ``hashes`` has shape (pictures, 8, 4).
    """
    for start in range(0, len(hashes), BLOCK):
        nearest = _nearest(hashes[start : start + BLOCK], hashes[start:, 0])
        for first, second in np.argwhere(nearest <= distance).tolist():
            if first < second:
                yield start + first, start + second


def _nearest(block: NDArray[np.uint64], upright: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return the fewest bits between any position of a row and an upright hash: shape (rows, upright)."""
    nearest = np.full((len(block), len(upright)), np.iinfo(np.uint16).max, np.uint16)
    for position in range(block.shape[1]):
        bits = np.zeros_like(nearest)
        for word in range(block.shape[2]):
            bits += np.bitwise_count(block[:, position, word, None] ^ upright[None, :, word])
        np.minimum(nearest, bits, out=nearest)
    return nearest


def _bits(grey: Image.Image) -> NDArray[np.uint64]:
    import imagehash

    bits = imagehash.phash(grey, hash_size=HASH_SIDE).hash
    return np.packbits(bits).view(np.uint64)[None]
