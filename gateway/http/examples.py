"""The examples of the OpenAPI page: requests with their real replies, from ``docs/api/examples``.

Owns how they are read and how a request looks as a command. That the replies are real is seen to by a test, which
sends each of them to a running server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fishgate.errors import SettingError
from fishgate.record import Record

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "api" / "examples"

SHOWN = ("confident", "deferred", "own_labels")
"""The examples whose answers the page shows."""


class Example(Record):
    """One request with its reply; ``picture`` is a path in the repository, None for an empty one."""

    picture: str | None
    form: dict[str, str]
    reply: dict[str, Any]


def read_examples(folder: Path = FOLDER) -> dict[str, Example]:
    """Return the examples that are shown, by name; raise SettingError if they are not there."""
    try:
        return {name: Example.model_validate_json((folder / f"{name}.json").read_bytes()) for name in SHOWN}
    except OSError as error:
        raise SettingError(f"the gateway needs docs/api/examples for its /docs page: {error.strerror}") from None


def batch_lines(examples: Sequence[Example]) -> str:
    """Return what the batch of these examples' pictures is answered with."""
    files = [Path(one.picture or "").name for one in examples]
    lines = [{"index": i, "file": files[i], "answer": one.reply} for i, one in enumerate(examples)]
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)


def commands(examples: Mapping[str, Example], *, url: str, with_key: bool) -> dict[str, str]:
    """Return a command for each address, to be run in the folder of the repository."""
    curl = 'curl -s -H "X-API-Key: $KEY"' if with_key else "curl -s"
    one = examples[SHOWN[0]]
    options = "".join(f" -F {name}={value}" for name, value in one.form.items())
    many = "".join(f" -F data=@{example.picture}" for example in list(examples.values())[:2])
    return {
        "/v1/identify": f"{curl}{options} -F data=@{one.picture} {url}v1/identify",
        "/v1/identify/batch": f"{curl} -F top_k=3{many} {url}v1/identify/batch",
        **{path: f"{curl} {url}{path[1:]}" for path in ("/v1/models", "/v1/species", "/livez", "/readyz", "/metrics")},
    }
