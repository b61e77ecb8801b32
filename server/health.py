"""Whether a running Fishgate really identifies: a picture is sent to it, and an answer must come.

Owns whom to ask, and what counts as an answer. It starts and mends nothing.
"""

from __future__ import annotations

import secrets
from typing import Any

import requests

from server.configuration import Settings
from server.management import ManagementError, TorchServe

_AFTER_SOI = 2
"""A JPEG file begins with two bytes, behind which further parts may stand."""


class Unhealthy(Exception):
    """It does not identify; the message says what came instead of an answer."""


def check(settings: Settings, picture: bytes, *, key: str | None, timeout_s: float) -> str:
    """Have ``picture``, a JPEG file, identified as clients have it; return what it is taken for. Raises Unhealthy.

    Where the gateway wants a key and none is given, it must say of itself that it is ready, and the picture goes to
    TorchServe behind it.
    """
    if not settings.has_gateway:
        return check_torchserve(settings, picture, model=None, timeout_s=timeout_s)
    reply = _sent(settings.gateway_url, picture, key=key, timeout_s=timeout_s)
    if reply.status_code != 401 or key is not None:
        return _label_of(reply)
    _demand(_get(f"{settings.gateway_url}/readyz", timeout_s=timeout_s))
    return check_torchserve(settings, picture, model=None, timeout_s=timeout_s)


def check_gateway(url: str, picture: bytes, *, key: str | None, timeout_s: float) -> str:
    """Have ``picture`` identified by the gateway at ``url``; return what it is taken for. Raises Unhealthy."""
    return _label_of(_sent(url, picture, key=key, timeout_s=timeout_s))


def check_torchserve(settings: Settings, picture: bytes, *, model: str | None, timeout_s: float) -> str:
    """Have ``picture`` identified by a model of TorchServe, or by all it serves; return what it is taken for.

    Raises Unhealthy.
    """
    server = TorchServe(settings)
    asked = model or (None if settings.models == "both" else settings.models)
    try:
        value = server.ask(asked, picture, timeout_s=timeout_s) if asked else _by_workflow(server, picture, timeout_s)
    except ManagementError as error:
        raise Unhealthy(str(error)) from None
    return _label_in(value)


def fresh(jpeg: bytes) -> bytes:
    """Return the same picture as another file, so that no answer to it is remembered: with a random comment."""
    comment = secrets.token_hex(16).encode()
    marker = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big")
    return jpeg[:_AFTER_SOI] + marker + comment + jpeg[_AFTER_SOI:]


def _by_workflow(server: TorchServe, picture: bytes, timeout_s: float) -> dict[str, Any]:
    return server.identify(picture, timeout_s=timeout_s)


def _sent(url: str, picture: bytes, *, key: str | None, timeout_s: float) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return requests.post(f"{url}/v1/identify", data=picture, headers=headers, timeout=timeout_s)
    except requests.RequestException as error:
        raise Unhealthy(f"the gateway cannot be reached at {url} ({type(error).__name__})") from None


def _get(url: str, *, timeout_s: float) -> requests.Response:
    try:
        return requests.get(url, timeout=timeout_s)
    except requests.RequestException as error:
        raise Unhealthy(f"the gateway cannot be reached at {url} ({type(error).__name__})") from None


def _demand(reply: requests.Response) -> None:
    if not reply.ok:
        raise Unhealthy(f"the gateway answered {reply.status_code}: {reply.text[:300]}")


def _label_of(reply: requests.Response) -> str:
    _demand(reply)
    try:
        return _label_in(reply.json())
    except ValueError:
        raise Unhealthy(f"the gateway's answer cannot be read: {reply.text[:300]!r}") from None


def _label_in(value: dict[str, Any]) -> str:
    """Return the label of an answer, or of the first candidate of an opinion or of an unsure answer."""
    if "error" in value:
        raise Unhealthy(f"instead of an answer came {value['error']}")
    try:
        return str(value.get("label") or value["candidates"][0]["label"])
    except (KeyError, IndexError, TypeError):
        raise Unhealthy(f"this is no answer: {str(value)[:300]}") from None
