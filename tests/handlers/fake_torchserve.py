"""A small TorchServe: the context and the round of a batch, as ``ts.context`` and ``ts.service`` have them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

WORKFLOW = {"host": "127.0.0.1:8080", "user-agent": "a client"}
DIRECT = {**WORKFLOW, "explain": "False", "url_path": ""}
GRPC: dict[str, str] = {}
"""The headers with which a request arrives, by the way that it took."""


@dataclass
class Request:
    """One request: its fields, the way it came, and the id that TorchServe gave it."""

    fields: dict[str, Any]
    headers: dict[str, str] = field(default_factory=lambda: dict(WORKFLOW))
    id: str = ""


@dataclass(frozen=True)
class Reply:
    """What TorchServe would send back."""

    body: bytes
    status: int
    headers: dict[str, str]

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class FakeMetric:
    """One declared metric; refuses label values that do not fit its labels."""

    def __init__(self, name: str, labels: list[str]) -> None:
        self.name = name
        self.labels = labels
        self.values: list[tuple[float, dict[str, str]]] = []

    def add_or_update(self, value: float, dimension_values: list[str], request_id: str = "") -> None:
        assert len(dimension_values) == len(self.labels), f"{self.name}: {dimension_values} for {self.labels}"
        self.values.append((value, dict(zip(self.labels, dimension_values, strict=True))))


class FakeMetrics:
    """The cache of metrics declared in ``metrics.yaml``; asking for another one raises KeyError."""

    def __init__(self) -> None:
        declared = yaml.safe_load((ROOT / "metrics.yaml").read_text())["model_metrics"]
        self._metrics = {
            (kind, entry["name"]): FakeMetric(entry["name"], entry["dimensions"])
            for kind, entries in declared.items()
            for entry in entries
        }

    def get_metric(self, metric_name: str, metric_type: Any) -> FakeMetric:
        return self._metrics[metric_type.value, metric_name]

    def values(self, name: str) -> list[tuple[float, dict[str, str]]]:
        return next(metric.values for (_, own), metric in self._metrics.items() if own == name)


class FakeContext:
    """``ts.context.Context``, as far as the handlers use it, and one round of ``ts.service.Service``."""

    def __init__(self, model_dir: Path, *, config: dict[str, Any] | None = None, gpu_id: int | None = None) -> None:
        self.system_properties = {"model_dir": str(model_dir), "gpu_id": gpu_id, "batch_size": 8}
        self.model_yaml_config = config
        self.metrics = FakeMetrics()
        self.request_ids: dict[int, str] = {}
        self._requests: list[Request] = []
        self._status: dict[int, int] = {}
        self._headers: dict[int, dict[str, str]] = {}

    def get_all_request_header(self, idx: int) -> dict[str, Any]:
        request = self._requests[idx]
        return {**{name: {"content-type": None} for name in request.fields}, **request.headers}

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self._headers[idx][key] = value

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self._status[idx] = code

    def round(self, handler: Any, requests: list[Request]) -> dict[str, Reply]:
        """Hand a batch over; return the replies by request id, of those that got one."""
        for number, request in enumerate(requests):
            request.id = request.id or f"request-{number}"
        self._requests = requests
        self.request_ids = {index: request.id for index, request in enumerate(requests)}
        self._status = dict.fromkeys(self.request_ids, 200)
        self._headers = {index: {} for index in self.request_ids}
        bodies = handler.handle([request.fields for request in requests], self)
        assert isinstance(bodies, list)
        assert len(bodies) == len(requests)
        return {
            request_id: Reply(bodies[index], self._status[index], self._headers[index])
            for index, request_id in self.request_ids.items()
        }

    def batch(self, handler: Any, *requests: Request) -> list[Reply]:
        """Hand a batch over to a handler that must answer all of it; return the replies in order."""
        replies = self.round(handler, list(requests))
        return [replies[request.id] for request in requests]
