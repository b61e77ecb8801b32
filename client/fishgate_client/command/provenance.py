"""Where results come from, written beside them: server, models, settings, client, times, counts.

It also guards them: a run with other settings, or against other models, is not to add to results that are there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fishgate_client.address import without_secrets
from fishgate_client.catalogue import Model, Models
from fishgate_client.command.record import RecordError
from fishgate_client.command.rows import Row
from fishgate_client.version import VERSION

_AGAIN = "give another name to --out, or --again to begin anew (what is there is kept as NAME.old)"
MODELS = ("expert", "zero_shot")


class ModelsChanged(Exception):
    """The server answers with other models than before."""


class Provenance:
    """The file beside the results, or nothing where results are not kept."""

    def __init__(self, path: Path | None, settings: Mapping[str, Any]) -> None:
        """Read what is there; raise RecordError if that was made with other settings."""
        self._path = path
        self._value = _read(path)
        self._versions: dict[str, str] = dict(self._value.get("versions", {}))
        earlier = self._value.get("settings")
        if earlier is not None and earlier != settings:
            changed = [name for name in {**earlier, **settings} if earlier.get(name) != settings.get(name)]
            seen = ", ".join(f"{name} was {earlier.get(name)!r} and is {settings.get(name)!r}" for name in changed)
            raise RecordError(f"the results that are there were made with other settings ({seen[:300]}); {_AGAIN}")
        self._value["settings"] = dict(settings)

    @property
    def is_there(self) -> bool:
        """Whether an earlier run has written it."""
        return "runs" in self._value

    def begin(self, url: str, *, is_torchserve: bool, models: Models | None, to_ask: int, done_before: int) -> None:
        """Note a run before its first result; raise RecordError if the server has other models than before."""
        if models is not None:
            try:
                self._compare({"expert": models.expert.version, "zero_shot": _version(models.zero_shot)})
            except ModelsChanged as error:
                raise RecordError(f"{error}; {_AGAIN}") from error
            self._value["models"] = {name: _told(getattr(models, name)) for name in MODELS}
        self._value["client"] = {"name": "fishgate-client", "version": VERSION}
        self._value["server"] = {"address": without_secrets(url), "is_torchserve": is_torchserve}
        run = {"began": _now(), "ended": None, "how": None, "to_ask": to_ask, "done_before": done_before}
        self._value.setdefault("runs", []).append(run)
        self._write()

    def check(self, row: Row) -> None:
        """Raise ModelsChanged if another version answered than before; a row without answer passes."""
        if row.is_answered:
            self._compare({"expert": row.expert_model, "zero_shot": row.zero_shot_model})

    def end(self, how: str, *, answered: int, failed: int, pictures: Mapping[str, int]) -> None:
        """Note how the run ended; ``pictures`` counts those in the results, of all runs."""
        self._value["runs"][-1] |= {"ended": _now(), "how": how, "answered": answered, "failed": failed}
        self._value["pictures"] = dict(pictures)
        self._write()

    def told(self) -> dict[str, Any]:
        """Return all that is known, for the contact sheet."""
        return self._value

    def _compare(self, versions: Mapping[str, str | None]) -> None:
        for name, version in versions.items():
            before = self._versions.setdefault(name, version) if version else None
            if before and before != version:
                raise ModelsChanged(f"the results that are there are by {name} {before!r}, now it is {version!r}")

    def _write(self) -> None:
        self._value["versions"] = self._versions
        if self._path is None:
            return
        aside = self._path.with_name(self._path.name + ".new")
        aside.write_text(json.dumps(self._value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(aside, self._path)


def _read(path: Path | None) -> dict[str, Any]:
    if path is None or not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RecordError(f"{path.name} cannot be read; {_AGAIN}")
    return value


def _version(model: Model | None) -> str | None:
    return model.version if model else None


def _told(model: Model | None) -> dict[str, Any] | None:
    if model is None:
        return None
    certificate = asdict(model.certificate) if model.certificate else None
    return {"name": model.name, "version": model.version, "threshold": model.threshold, "certificate": certificate}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
