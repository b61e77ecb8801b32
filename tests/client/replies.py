"""What the stand-in server says of pictures: one good answer, its variations, errors, and what can be named."""

from __future__ import annotations

from typing import Any

ANSWER: dict[str, Any] = {
    "label": "Carp",
    "scientific_name": "Cyprinus carpio",
    "rank": "species",
    "confidence": 0.93,
    "source": "expert",
    "deferred": False,
    "low_confidence": False,
    "degraded": False,
    "candidates": [
        {"label": "Carp", "scientific_name": "Cyprinus carpio", "rank": "species", "confidence": 0.93},
        {"label": "Tench", "scientific_name": "Tinca tinca", "rank": "species", "confidence": 0.04},
    ],
    "expert": {
        "label": "Carp",
        "confidence": 0.93,
        "certainty": 0.95,
        "threshold": 0.9,
        "certificate": {"risk": 0.02, "confidence": 0.95, "coverage": 0.78, "pictures": 569},
    },
    "models": {"expert": "toy-1", "zero_shot": None},
    "of_a_newer_server": {"anything": 1},
}
DEFERRED = {"source": "zero_shot", "deferred": True, "models": {"expert": "toy-1", "zero_shot": "toy-1"}}
REPLIES: dict[str, dict[str, Any]] = {
    "tench": {"label": "Tench", "scientific_name": "Tinca tinca", "confidence": 0.6},
    "genus": {"label": "Barbus", "scientific_name": "Barbus", "rank": "genus", "confidence": 0.8, **DEFERRED},
    "nothing": {"label": None, "scientific_name": None, "rank": None, "confidence": 0.2, "low_confidence": True},
    "degraded": {"degraded": True, "deferred": True, "low_confidence": True},
    "untaxed": {"label": "Sea food", "scientific_name": None, "rank": None},
}
ERRORS = {
    "unsupported": (415, "unsupported_image", "these bytes are no picture"),
    "damaged": (422, "damaged_image", "the picture is cut off"),
    "large": (413, "image_too_large", "the picture has too many pixels"),
    "broken": (500, "internal", "something broke"),
    "newer": (418, "teapot", "a word of a newer server"),
}

SPECIES = [
    {
        "label": "Carp",
        "scientific_name": "Cyprinus carpio",
        "rank": "species",
        "models": ["expert"],
        "family": "Cyprinidae",
    },
    {"label": "Tench", "scientific_name": "Tinca tinca", "rank": "species", "models": ["expert", "zero_shot"]},
    {"label": "Barbel", "scientific_name": "Barbus barbus", "rank": "species", "models": [], "family": "Cyprinidae"},
]


def error(status: int, code: str, message: str) -> tuple[int, dict[str, Any]]:
    """Return an error as the gateway sends it."""
    return status, {"error": {"status": status, "code": code, "message": message}}
