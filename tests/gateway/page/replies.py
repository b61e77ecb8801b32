"""What the stand-in says: one answer of each kind, one error of each code, as the real server words them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CERTIFICATE: Json = {"risk": 0.02, "confidence": 0.95, "coverage": 0.7786, "pictures": 569}


def candidate(label: str, scientific_name: str | None, confidence: float, rank: str | None = "species") -> Json:
    return {"label": label, "scientific_name": scientific_name, "rank": rank, "confidence": confidence}


GOLD_FISH = candidate("Gold Fish", "Carassius auratus", 0.9312)
OTHERS = (
    candidate("Silver Barb", "Barbonymus gonionotus", 0.0416),
    candidate("Goby", "Gobiidae", 0.0121, "family"),
    candidate("Common Carp", "Cyprinus carpio", 0.0083),
    candidate("Fourfinger Threadfin", "Eleutheronema tetradactylum", 0.0004),
)
BANGUS = candidate("Bangus", "Chanos chanos", 0.3402)


def answer(
    named: Json | None,
    *candidates: Json,
    source: str = "zero_shot",
    deferred: bool = True,
    low_confidence: bool = False,
    degraded: bool = False,
    certainty: float = 0.3834,
) -> Json:
    """An answer of the cascade; ``named`` is None where no name is given."""
    first = named or {"label": None, "scientific_name": None, "rank": None, "confidence": candidates[0]["confidence"]}
    return {
        **first,
        "source": source,
        "deferred": deferred,
        "low_confidence": low_confidence,
        "degraded": degraded,
        "candidates": list(candidates),
        "expert": {
            "label": "Gold Fish",
            "confidence": 0.564,
            "certainty": certainty,
            "threshold": 0.9,
            "certificate": CERTIFICATE,
        },
        "models": {"expert": "demo-2", "zero_shot": "demo-2" if deferred and not degraded else None},
    }


ANSWERS: dict[str, Json] = {  # by the first word of the picture's name
    "sure": answer(GOLD_FISH, GOLD_FISH, *OTHERS, source="expert", deferred=False, certainty=0.9641),
    "deferred": answer(GOLD_FISH, GOLD_FISH, *OTHERS),
    "genus": answer(
        candidate("Carassius", "Carassius", 0.8123, "genus"),
        candidate("Prussian Carp", "Carassius gibelio", 0.4411),
        candidate("Gold Fish", "Carassius auratus", 0.3712),
        candidate("Common Carp", "Cyprinus carpio", 0.0911),
        candidate("Silver Barb", "Barbonymus gonionotus", 0.0416),
    ),
    "label": answer(candidate("Goby", "Gobiidae", 0.95, "family"), candidate("Goby", "Gobiidae", 0.95, "family")),
    "nameless": answer(None, BANGUS, *OTHERS, low_confidence=True),
    "degraded": answer(GOLD_FISH, GOLD_FISH, *OTHERS, source="expert", low_confidence=True, degraded=True),
    "chosen": answer(
        candidate("Nile perch", None, 0.9391, None),
        candidate("Nile perch", None, 0.9391, None),
        candidate("Atlantic cod", None, 0.0609, None),
        certainty=0.9641,
    ),
    "markup": answer(
        candidate("<img src=x onerror=alert(1)>", "=HYPERLINK(1)", 1.0),
        candidate("<img src=x onerror=alert(1)>", "=HYPERLINK(1)", 1.0),
    ),
}

ERRORS: dict[str, tuple[int, str]] = {  # by code: status and message
    "empty_image": (400, "the picture is empty (0 bytes); send JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF"),
    "invalid_option": (400, "there is no species list 'gone'; there are: reef_fish"),
    "unsupported_image": (415, "these bytes are no picture of an accepted format"),
    "damaged_image": (422, "the picture is damaged or cut off and cannot be decoded (OSError)"),
    "image_too_large": (413, "the picture has 31,000,000 bytes; allowed are 25,000,000"),
    "unauthorised": (401, "this server wants an API key"),
    "rate_limited": (429, "too many requests with this key; allowed are 600 a minute"),
    "overloaded": (503, "too much to do; try again later"),
    "timed_out": (504, "no answer within 30 s"),
    "internal": (500, "the server failed"),
}

MODELS: Json = {
    "expert": {
        "name": "expert",
        "version": "demo-2",
        "kind": "expert",
        "labels": [{"label": "Gold Fish"}, {"label": "Bangus"}],
        "gate": {"threshold": 0.9, "certificate": CERTIFICATE},
    },
    "zero_shot": {"name": "zero_shot", "version": "demo-2", "kind": "zero_shot", "labels": [{"label": "Gold Fish"}]},
    "species_lists": ["north_european_freshwater", "reef_fish"],
}


def species(list_name: str | None) -> Json:
    """Three species without a list, 250 of ``reef_fish``."""
    if list_name == "reef_fish":
        rows = [candidate(f"Reef fish {number}", f"Piscis {number}", 0.0) for number in range(250)]
    else:
        rows = [GOLD_FISH, BANGUS, OTHERS[1]]
    names = [{key: row[key] for key in ("label", "scientific_name", "rank")} for row in rows]
    return {"species": [{**name, "models": ["zero_shot"]} for name in names]}
