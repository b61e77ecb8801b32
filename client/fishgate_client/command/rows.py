"""One picture's result as a flat row: the columns of a result file, and how a reply fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from fishgate_client.command.sources import PictureFile
from fishgate_client.command.taxa import Ranking
from fishgate_client.result import Result

COLUMNS: dict[str, tuple[type, str]] = {
    "path": (str, "the picture's file; bytes of its name that are no printable text stand as `\\xHH`"),
    "bytes": (int, "its size"),
    "modified": (str, "when it was last changed, UTC"),
    "taxon": (str, "what is counted in the summary: scientific name, or label where there is none, at `--rank`"),
    "taxon_rank": (str, "its rank: species, genus, family or order"),
    "confidence": (float, "of the answer, 0 to 1; for a taxon above the answer's own rank it is a lower bound"),
    "unsure": (bool, "whether somebody should look at the picture"),
    "note": (str, "why it is unsure, or what is missing"),
    "label": (str, "the answer's name as people say it"),
    "scientific_name": (str, "the answer's scientific name"),
    "rank": (str, "the answer's own rank"),
    "source": (str, "the model that answered: expert or zero_shot"),
    "deferred": (bool, "whether the expert was not sure enough, so that zero-shot was asked"),
    "low_confidence": (bool, "whether the server itself says that no answer should be trusted"),
    "degraded": (bool, "whether zero-shot was due and could not be had"),
    "candidates": (str, "all names that the picture may have, each with its confidence, most probable first"),
    "expert_label": (str, "what the expert thought"),
    "expert_confidence": (float, "how probable it found that"),
    "expert_certainty": (float, "what is compared with the threshold"),
    "expert_threshold": (float, "the certainty from which the expert is believed"),
    "expert_model": (str, "the version of the expert"),
    "zero_shot_model": (str, "the version of zero-shot, where it was asked"),
    "error_code": (str, "the code word of the error, where there is no answer"),
    "error_status": (int, "its HTTP status"),
    "error_message": (str, "what was wrong, in words"),
}
"""Each column's name, kind and meaning, in the order of the file."""


@dataclass(frozen=True)
class Row:
    """The columns; None where there is nothing to say."""

    path: str
    bytes: int | None = None
    modified: str | None = None
    taxon: str | None = None
    taxon_rank: str | None = None
    confidence: float | None = None
    unsure: bool | None = None
    note: str | None = None
    label: str | None = None
    scientific_name: str | None = None
    rank: str | None = None
    source: str | None = None
    deferred: bool | None = None
    low_confidence: bool | None = None
    degraded: bool | None = None
    candidates: str | None = None
    expert_label: str | None = None
    expert_confidence: float | None = None
    expert_certainty: float | None = None
    expert_threshold: float | None = None
    expert_model: str | None = None
    zero_shot_model: str | None = None
    error_code: str | None = None
    error_status: int | None = None
    error_message: str | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the picture was identified."""
        return self.error_code is None

    @property
    def identity(self) -> tuple[str, int | None, str | None]:
        """What tells whether this is still the same picture: path, size, time of last change."""
        return self.path, self.bytes, self.modified

    def values(self) -> tuple[Any, ...]:
        """Return the values in the order of the columns."""
        return tuple(vars(self).values())


@dataclass(frozen=True)
class Rules:
    """What the command line says of answers: the rank that they are named at, and when they are unsure."""

    ranking: Ranking = field(default_factory=Ranking)
    min_confidence: float = 0.0


def row_of(result: Result[PictureFile], rules: Rules) -> tuple[Row, dict[str, Any]]:
    """Return the row of a result, and the same as a JSON object with the whole reply."""
    picture, reply = result.picture, result.as_json()
    own: dict[str, Any] = {"path": picture.shown, "bytes": picture.size, "modified": time_text(picture.modified_ns)}
    judged = reply if result.answer is None else {**_judged(reply, rules), "answer": reply}
    value = {**own, **judged}
    return row_from(value), value


def row_from(value: Mapping[str, Any]) -> Row:
    """Return the row of such a JSON object."""
    own = {name: value.get(name) for name in ("bytes", "modified", "taxon", "taxon_rank", "unsure", "note")}
    if "error" in value:
        error = {f"error_{name}": value["error"][name] for name in ("code", "status", "message")}
        return Row(path=value["path"], **own, **error)
    return Row(path=value["path"], **own, **_flattened(value["answer"]))


def time_text(modified_ns: int | None) -> str | None:
    """Return a file's time as text, exact to the nanosecond."""
    if modified_ns is None:
        return None
    seconds, nanoseconds = divmod(modified_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


def _judged(reply: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    taxon = rules.ranking.taxon(reply)
    doubts = _doubts(reply, rules.min_confidence)
    missing = [] if taxon.is_told else [f"the server does not tell its {rules.ranking.rank}"]
    return {
        "taxon": taxon.name,
        "taxon_rank": taxon.rank,
        "unsure": bool(doubts),
        "note": "; ".join(doubts + missing) or None,
    }


def _doubts(reply: Mapping[str, Any], min_confidence: float) -> list[str]:
    doubts = []
    if reply["degraded"]:
        doubts.append("zero-shot could not be asked")
    if reply["label"] is None:
        best = reply["candidates"][0]["label"] if reply["candidates"] else "nothing"
        doubts.append(f"perhaps {best}")
    elif reply["low_confidence"]:
        doubts.append("do not trust this answer")
    if reply["confidence"] < min_confidence:
        doubts.append(f"below {min_confidence:g}")
    return doubts


def _flattened(reply: Mapping[str, Any]) -> dict[str, Any]:
    expert, models = reply["expert"], reply["models"]
    return {
        **{name: reply[name] for name in ("label", "scientific_name", "rank", "confidence", "source")},
        **{name: reply[name] for name in ("deferred", "low_confidence", "degraded")},
        "candidates": "; ".join(f"{one['label']} {one['confidence']:.4f}" for one in reply["candidates"]),
        **{f"expert_{name}": expert[name] for name in ("label", "confidence", "certainty", "threshold")},
        "expert_model": models["expert"],
        "zero_shot_model": models["zero_shot"],
    }
