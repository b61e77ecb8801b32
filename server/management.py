"""TorchServe's REST API, as the scripts use it: identify, register, describe, scale.

Owns the tokens' use and the reading of TorchServe's replies; it starts and stops nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from server.configuration import Settings

MODEL_NAMES = {"expert": "fish__expert", "router": "fish__router", "zero_shot": "zero_shot"}
"""TorchServe's names of the models; those in a workflow bear its name."""


_CODES = {413: "image_too_large", 503: "overloaded", 504: "timed_out"}


class ManagementError(Exception):
    """TorchServe refused or could not be reached; the message says what it said."""


class TorchServe:
    """A running TorchServe."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def identify(
        self, picture: bytes, options: dict[str, str] | None = None, *, timeout_s: float = 120
    ) -> dict[str, Any]:
        """Send a picture through the workflow; return its answer, or its error in the same form."""
        form: dict[str, Any] = {"data": picture}
        if options or not picture:
            form = {"files": {"data": ("picture", picture)}, "data": options}
        reply = self._call("POST", f"{self.settings.url}/wfpredict/fish", "inference", timeout_s=timeout_s, **form)
        value = _value(reply)
        return value if "type" not in value else _as_own_error(reply.status_code, value)

    def ask(self, model: str, picture: bytes, *, timeout_s: float = 120) -> dict[str, Any]:
        """Send a picture to one model, or ``NAME/VERSION`` of it; return its opinion, or its error in our own form."""
        url = f"{self.settings.url}/predictions/{MODEL_NAMES.get(model, model)}"
        reply = self._call("POST", url, "inference", timeout_s=timeout_s, data=picture)
        value = _value(reply)
        return value if "type" not in value else _as_own_error(reply.status_code, value)

    def register_workflow(self, *, timeout_s: float = 600) -> None:
        """Register the workflow from the store, unless it is registered already."""
        url = f"{self.settings.management_url}/workflows"
        if self._call("GET", f"{url}/fish", "management").status_code == 200:
            return
        reply = self._call("POST", url, "management", timeout_s=timeout_s, params={"url": "fish.war"})
        _json(reply)

    def describe(self, model: str) -> dict[str, Any]:
        """Return TorchServe's description of a model: workers, their status, batch size."""
        url = f"{self.settings.management_url}/models/{MODEL_NAMES.get(model, model)}"
        return dict(_json(self._call("GET", url, "management"))[0])

    def is_loaded(self, model: str) -> bool:
        """Tell whether a model's workers, one at least, have all loaded it."""
        return are_ready(self.describe(model)["workers"])

    def scale(self, model: str, workers: int, *, timeout_s: float = 300) -> dict[str, Any]:
        """Set the number of a model's workers, wait until they are there, and describe it."""
        url = f"{self.settings.management_url}/models/{MODEL_NAMES.get(model, model)}"
        wanted = {"min_worker": str(workers), "max_worker": str(workers), "synchronous": "true"}
        _json(self._call("PUT", url, "management", timeout_s=timeout_s, params=wanted))
        return self.describe(model)

    def versions(self, name: str) -> dict[str, dict[str, Any]]:
        """Return TorchServe's descriptions of all versions of a model by version; none if there is no such model."""
        reply = self._call("GET", f"{self.settings.management_url}/models/{name}/all", "management")
        return {} if reply.status_code == 404 else {one["modelVersion"]: one for one in _json(reply)}

    def register(self, archive: str, name: str, *, workers: int, batch_size: int, max_batch_delay_ms: int) -> None:
        """Register an archive of the store as a version of a model, without waiting for its workers."""
        wanted = {
            "url": archive,
            "model_name": name,
            "initial_workers": str(workers),
            "batch_size": str(batch_size),
            "max_batch_delay": str(max_batch_delay_ms),
        }
        url = f"{self.settings.management_url}/models"
        _json(self._call("POST", url, "management", timeout_s=600, params=wanted))

    def set_default(self, name: str, version: str) -> None:
        """Make a version the one that is asked where none is named."""
        url = f"{self.settings.management_url}/models/{name}/{version}/set-default"
        _json(self._call("PUT", url, "management"))

    def unregister(self, name: str, version: str) -> None:
        """Remove a version and its workers; nothing happens if it is not there. The default cannot be removed."""
        reply = self._call(
            "DELETE", f"{self.settings.management_url}/models/{name}/{version}", "management", timeout_s=120
        )
        if reply.status_code != 404:
            _json(reply)

    def is_healthy(self) -> bool:
        """Tell whether the server answers at all."""
        try:
            return self._call("GET", f"{self.settings.url}/ping", "inference").status_code == 200
        except ManagementError:
            return False

    def token(self, kind: str) -> str:
        """Return the token for ``inference`` or ``management``."""
        try:
            return str(json.loads(self.settings.key_file.read_text())[kind]["key"])
        except (OSError, ValueError, KeyError) as error:
            raise ManagementError(f"no token in {self.settings.key_file.name}: is the server running?") from error

    def _call(self, method: str, url: str, token: str, *, timeout_s: float = 30, **kwargs: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token(token)}"} if self.settings.has_tokens else {}
        try:
            return requests.request(method, url, headers=headers, timeout=timeout_s, **kwargs)
        except requests.RequestException as error:
            raise ManagementError(f"TorchServe cannot be reached at {url} ({type(error).__name__})") from error


def are_ready(workers: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether there are workers, and all have loaded their model."""
    return bool(workers) and all(worker["status"] == "READY" for worker in workers)


def _json(reply: requests.Response) -> Any:
    value = _value(reply)
    if reply.status_code >= 400:
        raise ManagementError(f"TorchServe answered {reply.status_code}: {value.get('message', value)}")
    return value


def _value(reply: requests.Response) -> Any:
    try:
        return reply.json()
    except ValueError:
        return {"type": "NoJson", "message": reply.text[:300]}


def _as_own_error(status: int, value: dict[str, Any]) -> dict[str, Any]:
    """Say TorchServe's own error ({code, type, message}) in Fishgate's form."""
    code = _CODES.get(status, "internal")
    return {"error": {"status": status, "code": code, "message": f"TorchServe: {value.get('message')}"}}
