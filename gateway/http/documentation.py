"""``/openapi.json`` and ``/docs``: the description of the API, for programs and for people.

Owns how both are made of the routes. The page is plain HTML: it needs no script, and nothing from anywhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fishgate.list_folder import ListFolder
from gateway.http.examples import batch_lines, commands, read_examples
from gateway.http.lines import MEDIA_TYPE
from gateway.http.openapi import KEY_SCHEMES, operations
from gateway.http.replies import Json
from gateway.settings import Settings

_TEMPLATES = Path(__file__).resolve().parent / "templates"


class Documentation:
    """The description of one application; made when somebody first asks for it."""

    def __init__(self, app: FastAPI, settings: Settings, lists: ListFolder) -> None:
        """Read the examples; raises SettingError if they are not there."""
        self._app = app
        self._settings = settings
        self._operations = operations([one.name for one in lists])
        self._examples = read_examples()
        self._description: dict[str, Any] | None = None

    def of(self, path: str) -> dict[str, Any]:
        """Return what is said of an address, as arguments of its route."""
        return self._operations[path]

    async def json(self, request: Request) -> Response:
        """Return the description in OpenAPI's form."""
        return Json(json.dumps(self.description, ensure_ascii=False).encode())

    async def page(self, request: Request) -> Response:
        """Return the description as a page, with commands for the address by which it was reached."""
        environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
        style = (_TEMPLATES / "documentation.css").read_text(encoding="utf-8")
        needs_keys = self._settings.needs_keys
        told = commands(self._examples, url=str(request.base_url), with_key=needs_keys)
        text = environment.get_template("documentation.html").render(
            api=self.description,
            operations=[_shown(path, one, told[path]) for path, one in _operations(self.description)],
            needs_keys=needs_keys,
            style=style,
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": _policy(style)})

    @property
    def description(self) -> dict[str, Any]:
        """The description; it tells of keys only where they are needed."""
        if self._description is None:
            self._description = self._app.openapi()
            self._add_examples(self._description["paths"])
            if self._settings.needs_keys:
                self._add_keys(self._description)
        return self._description

    def _add_examples(self, paths: dict[str, Any]) -> None:
        # Afterwards, for FastAPI would take out of them what is null.
        content = _good_reply(paths["/v1/identify"]["post"])["application/json"]
        content["examples"] = {name: {"value": one.reply} for name, one in self._examples.items()}
        lines = batch_lines(list(self._examples.values())[:2])
        _good_reply(paths["/v1/identify/batch"]["post"])[MEDIA_TYPE]["examples"] = {"lines": {"value": lines}}

    def _add_keys(self, description: dict[str, Any]) -> None:
        description["components"]["securitySchemes"] = KEY_SCHEMES
        for path, one in _operations(description):
            if path.startswith("/v1/") or (path == "/metrics" and not self._settings.metrics_open):
                one["security"] = [{name: []} for name in KEY_SCHEMES]


def _operations(description: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return each address with its operation."""
    return [(path, one) for path, methods in description["paths"].items() for one in methods.values()]


def _good_reply(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation["responses"]["200"]["content"]
    return content


def _shown(path: str, operation: dict[str, Any], command: str) -> dict[str, Any]:
    """Return what the page shows of an operation."""
    is_post = "requestBody" in operation
    return {
        "path": path,
        "method": "POST" if is_post else "GET",
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "command": command,
        "parameters": [_parameter(one, in_form=is_post) for one in operation.get("parameters", [])],
        "replies": [_reply(status, one) for status, one in sorted(operation["responses"].items())],
    }


def _parameter(told: dict[str, Any], *, in_form: bool) -> dict[str, str]:
    schema = told.get("schema") or told["content"]["application/json"]["schema"]
    return {
        "name": told["name"],
        "place": "header" if told["in"] == "header" else "address or form" if in_form else "address",
        "description": told["description"],
        "allowed": _allowed(schema),
    }


def _allowed(schema: dict[str, Any]) -> str:
    """Say in words what a schema allows; nothing where everything is."""
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "maxItems" in schema:
        return f"{schema['minItems']} to {schema['maxItems']} different names"
    if "maximum" in schema:
        absent = f", {schema['default']} if absent" if "default" in schema else ""
        return f"{schema['minimum']} to {schema['maximum']:,}{absent}"
    return ""


def _reply(status: str, told: dict[str, Any]) -> dict[str, Any]:
    examples = [one["value"] for kind in told.get("content", {}).values() for one in kind.get("examples", {}).values()]
    return {
        "status": status,
        "description": told["description"],
        "examples": [
            one if isinstance(one, str) else json.dumps(one, ensure_ascii=False, indent=1) for one in examples
        ],
    }


def _policy(style: str) -> str:
    """Return the policy that lets this one style be and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
