"""Pictures turned by any angle: the disc in the middle of both is then the same but for the turn.

Owns the description of that disc and which discs are alike. It knows grey pixels only, no files.
Augmented data sets hold such pictures, with black corners, and no perceptual hash knows them again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RADII, ANGLES, FREQUENCIES = 24, 128, 33
BLOCK = 512

Disc = NDArray[np.complex64]
"""The disc as frequencies along the angle: shape (RADII, FREQUENCIES), of length 1."""


def describe_disc(grey: Image.Image) -> Disc:
    """Describe the inscribed disc of a square grey picture, made equal in light and contrast.

    A turn of the picture is a shift of the disc's angles, which changes the phases of the
    frequencies only (Reddy and Chatterji, 1996, An FFT-Based Technique for Translation, Rotation
    and Scale-Invariant Image Registration). A blank disc is all zero.
    """
    import cv2

    pixels = np.asarray(grey, dtype=np.float32)
    centre = (grey.width - 1) / 2
    polar = cv2.warpPolar(pixels, (RADII, ANGLES), (centre, centre), centre - 1, cv2.WARP_POLAR_LINEAR)
    area = (np.arange(RADII, dtype=np.float32) + 0.5) / RADII  # a ring's share of the disc grows with its radius
    rings = (polar - np.average(polar.mean(axis=0), weights=area)) * np.sqrt(area)  # (ANGLES, RADII)
    spectrum = np.fft.rfft(rings.T, axis=1)[:, :FREQUENCIES]
    spectrum[:, 1:] *= np.sqrt(2)  # each but the first stands for two
    length = float(np.linalg.norm(spectrum))
    return np.asarray(spectrum / length if length > 0 else spectrum, dtype=np.complex64)


def like_discs(discs: NDArray[np.complex64], likeness: float) -> Iterator[tuple[int, int]]:
    """Yield the pairs (first < second) whose correlation at the best turn, mirrored or not, reaches ``likeness``.

    ``discs`` has shape (pictures, RADII, FREQUENCIES).
    """
    # Sizes without phases correlate at least as well as the discs at any turn: what they leave out is surely unlike.
    sizes = np.abs(discs).reshape(len(discs), -1)
    for start in range(0, len(discs), BLOCK):
        promising = np.argwhere(sizes[start : start + BLOCK] @ sizes[start:].T >= likeness)
        for first, second in (promising + start).tolist():
            if first < second and _correlation(discs[first], discs[second]) >= likeness:
                yield first, second


def _correlation(disc: Disc, other: Disc) -> float:
    """Return the correlation of two discs at the best turn, the other also mirrored."""
    return max(_at_best_turn(disc, other), _at_best_turn(disc, np.conj(other)))


def _at_best_turn(disc: Disc, other: Disc) -> float:
    product = (disc * np.conj(other)).sum(axis=0)  # (FREQUENCIES,)
    product[1:] /= 2  # back to one of the two that each stands for, as irfft expects
    return float(np.fft.irfft(product, n=ANGLES).max()) * ANGLES
