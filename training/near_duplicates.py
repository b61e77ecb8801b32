"""Which pictures of a data set are the same or nearly so: copied, encoded again, scaled, mirrored or turned.

Owns the fingerprints of files, the pairs among them and the groups that pairs make. It does not
know classes or splits; what a pair means there is said by ``training.auditing``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from fishgate.errors import FishgateError
from fishgate.images import open_picture
from training.picture_discs import Disc, describe_disc, like_discs
from training.picture_hashes import GREY_PX, Hashes, close_hashes, hash_picture

LEAST_CONTRAST = 2.0
"""Standard deviation of grey, 0 to 255. Below it a picture is blank, and its hash is chance."""


class Kind(str, Enum):
    """How two pictures were found to be one, the surest first."""

    IDENTICAL = "identical"  # byte by byte
    RESEMBLING = "resembling"  # by perceptual hash, also mirrored and turned by right angles
    TURNED = "turned"  # by the disc in the middle, turned by any angle and mirrored


@dataclass(frozen=True)
class Limits:
    """How near two pictures must be to count as one.

    Chosen by eye on 5,622 photographs of fish: of 651 pairs within, none joins two classes, and all
    84 that were looked at show one shot or frames a moment apart. Above 40 of 256 bits other fish
    on the same plain ground come in, at a likeness of 0.94 another class. Encoding, scaling,
    mirroring, turning and moderate changes of light stay within; cutting 5 % off each side does not.
    """

    distance: int = 40  # bits of 256 between perceptual hashes
    likeness: float = 0.95  # correlation of the discs at the best turn


USUAL = Limits()


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a picture to compare it; hashes and disc are None for a blank one."""

    sha256: str
    hashes: Hashes | None
    disc: Disc | None


@dataclass(frozen=True)
class Pair:
    """Two pictures that are one, by their paths in order."""

    first: str
    second: str
    kind: Kind


@dataclass(frozen=True)
class Twins:
    """The readable pictures of a data set, the pairs among them, and why others are unreadable."""

    paths: tuple[str, ...]
    pairs: tuple[Pair, ...]
    unreadable: Mapping[str, str]


def find_twins(paths: Sequence[str], folder: Path, limits: Limits = USUAL) -> Twins:
    """Compare all pictures of a data set with each other; ``paths`` are relative to ``folder``."""
    prints: dict[str, Fingerprint] = {}
    unreadable: dict[str, str] = {}
    names = sorted(set(paths))
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda name: _fingerprint_or_reason(folder / name), names)
        for name, result in zip(names, tqdm(found, "comparing pictures", len(names), unit="picture"), strict=True):
            if isinstance(result, Fingerprint):
                prints[name] = result
            else:
                unreadable[name] = result
    return Twins(tuple(prints), tuple(find_pairs(prints, limits)), unreadable)


def take_fingerprint(data: bytes) -> Fingerprint:
    """Take the fingerprint of a picture file; raise FishgateError if it cannot be decoded."""
    picture = open_picture(data, needed_px=GREY_PX).convert("L")
    grey = picture.resize((GREY_PX, GREY_PX), Image.Resampling.LANCZOS)
    digest = hashlib.sha256(data).hexdigest()
    if np.asarray(grey).std() < LEAST_CONTRAST:
        return Fingerprint(digest, None, None)
    return Fingerprint(digest, hash_picture(grey), describe_disc(grey))


def find_pairs(prints: Mapping[str, Fingerprint], limits: Limits = USUAL) -> list[Pair]:
    """Return the pairs of pictures within the limits, each once with the surest kind, in the order of their paths.

    Of byte-identical files every pair is named.
    """
    kinds = dict.fromkeys(_identical(prints), Kind.IDENTICAL)
    clear = [path for path, found in prints.items() if found.hashes is not None]
    if clear:
        hashes = np.stack([found.hashes for found in prints.values() if found.hashes is not None])
        discs = np.stack([found.disc for found in prints.values() if found.disc is not None])
        for first, second in close_hashes(hashes, limits.distance):
            kinds.setdefault((clear[first], clear[second]), Kind.RESEMBLING)
        for first, second in like_discs(discs, limits.likeness):
            kinds.setdefault((clear[first], clear[second]), Kind.TURNED)
    return [Pair(first, second, kind) for (first, second), kind in sorted(kinds.items())]


def join(names: Mapping[str, str], pairs: Iterable[Pair]) -> dict[str, str]:
    """Join the groups of paired pictures: from each picture's group to that of all it hangs together with.

    ``names`` tells the group of each path, its own path where none is known. A joined group has the
    first of the names, in the order of letters, so that a group without pairs keeps its own.
    """
    above = {name: name for name in names.values()}

    def top(name: str) -> str:
        while above[name] != name:
            above[name] = name = above[above[name]]
        return name

    for pair in pairs:
        first, second = sorted((top(names[pair.first]), top(names[pair.second])))
        above[second] = first
    return {path: top(name) for path, name in names.items()}


def _fingerprint_or_reason(file: Path) -> Fingerprint | str:
    try:
        return take_fingerprint(file.read_bytes())
    except FishgateError as error:
        return str(error)
    except OSError as error:
        return error.strerror or type(error).__name__


def _identical(prints: Mapping[str, Fingerprint]) -> Iterable[tuple[str, str]]:
    same: dict[str, list[str]] = {}
    for path, found in prints.items():
        same.setdefault(found.sha256, []).append(path)
    return (pair for paths in same.values() for pair in combinations(sorted(paths), 2))
