"""What a model does with the pictures of one source, each figure with what the number of pictures leaves open.

Owns fractions with their intervals; it does not know where the pictures come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

INTERVAL_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Fraction:
    """A fraction of counted pictures, and between which fractions the truth lies with 95 % confidence."""

    hits: int
    pictures: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The fraction seen, 0 of no pictures."""
        return self.hits / self.pictures if self.pictures else 0.0


def fraction_of(flags: Flags) -> Fraction:
    """Count the flags that are set; the interval is Wilson's (1927), honest for 30 pictures and for 0 hits too.

    Of no pictures nothing is known: the interval is 0 to 1.
    """
    hits, pictures = int(flags.sum()), len(flags)
    if not pictures:
        return Fraction(0, 0, 0.0, 1.0)
    z_square = NormalDist().inv_cdf(0.5 + INTERVAL_CONFIDENCE / 2) ** 2
    seen = hits / pictures
    centre = (seen + z_square / (2 * pictures)) / (1 + z_square / pictures)
    spread = np.sqrt(z_square * (seen * (1 - seen) + z_square / (4 * pictures)) / pictures) / (1 + z_square / pictures)
    # Rounding must not leave 0 hits with a lower end of 1e-18, nor exclude the fraction itself.
    low, high = min(max(centre - spread, 0.0), seen), max(min(centre + spread, 1.0), seen)
    return Fraction(hits, pictures, float(low), float(high))


@dataclass(frozen=True)
class SourceFigures:
    """What the model does with the pictures of one source.

    ``right`` counts all pictures as answered; ``wrong_among_accepted`` is a fraction of the accepted,
    all others are fractions of all pictures.
    """

    right: Fraction
    accepted: Fraction
    wrong_among_accepted: Fraction
    accepted_and_wrong: Fraction
    deferred: Fraction


def source_figures(is_right: Flags, is_accepted: Flags) -> SourceFigures:
    """Return the figures of one source from its pictures: both (N,). Of a picture no label fits, no answer is right."""
    return SourceFigures(
        right=fraction_of(is_right),
        accepted=fraction_of(is_accepted),
        wrong_among_accepted=fraction_of(~is_right[is_accepted]),
        accepted_and_wrong=fraction_of(is_accepted & ~is_right),
        deferred=fraction_of(~is_accepted),
    )
