"""Bringing one Fishgate up and down: archives, species lists, TorchServe and the gateway, in this order.

Owns what is left alone because it is right already, and that what was started is stopped again if it does not come up.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psutil

from server import gateway_process
from server.archives import build, model_sources, outdated
from server.bootstrap import ROOT
from server.configuration import Settings, recall, remember
from server.deploy.journal import Phase, read_journal
from server.instance import clear_before_start, running, start, stop, wait_until_ready
from server.lists import prepare_lists
from server.saying import say

SAMPLE = ROOT / "samples" / "drawn_goldfish.jpg"


def bring_up(settings: Settings, *, limit_s: float) -> tuple[list[psutil.Process], dict[str, Any]]:
    """Build what has changed, start TorchServe and the gateway unless they run so already, and identify the sample.

    Returns the processes of both, or of TorchServe alone. What was started is stopped again if it does not come up.
    Raises BuildError, StartError, ManagementError or DeployError.
    """
    is_changed = not _leaves_canary_alone(settings) and _prepare(settings)
    deadline_s = time.monotonic() + limit_s
    try:
        java, answer = _bring_up_torchserve(settings, is_changed=is_changed, limit_s=limit_s)
        gateways = _bring_up_gateways(settings, limit_s=deadline_s - time.monotonic())
    except BaseException:
        stop_all(settings)
        raise
    remember(settings)
    return [java, *gateways], answer


def stop_all(settings: Settings) -> bool:
    """Stop the gateway, which finishes what it has begun, and then TorchServe; return whether either was running."""
    was_open = gateway_process.stop(settings)
    return stop(settings) or was_open


def _leaves_canary_alone(settings: Settings) -> bool:
    """Tell whether a canary is under way, and nothing here would change what TorchServe serves."""
    found = read_journal(settings.home)
    if found is None or found.phase is not Phase.CANARY or running(settings) is None:
        return False
    return _is_known(settings) and not outdated(settings.store, pack=settings.pack, device=settings.device)


def _prepare(settings: Settings) -> bool:
    """Bring archives and lists up to date; return whether there was anything to do.

    A change of a model that is half done comes to its end first, and so does the server that it was made on: what
    lies beside its archives would otherwise be put in the place of those that are built now.
    """
    if read_journal(settings.home) is not None and running(settings) is not None:
        model_sources(settings.pack, settings.device)  # nothing is stopped for a pack that is not there
        say("a change of a model was under way: stopping the running server")
        stop_all(settings)
    clear_before_start(settings)
    is_built = build(settings.store, pack=settings.pack, device=settings.device, say=say)
    return prepare_lists(settings, say) or is_built


def _bring_up_torchserve(
    settings: Settings, *, is_changed: bool, limit_s: float
) -> tuple[psutil.Process, dict[str, Any]]:
    java = running(settings)
    if java and (is_changed or not _is_known(settings)):
        say("something has changed: stopping the running server")
        stop_all(settings)
        java = None
    if java is None:
        say(f"starting TorchServe with the {settings.pack} pack on the {settings.device}")
        java = start(settings)
    return java, wait_until_ready(settings, java, SAMPLE.read_bytes(), limit_s=limit_s, say=say)


def _is_known(settings: Settings) -> bool:
    """Tell whether TorchServe was last started so; what is said of the gateway is nothing to it."""
    return replace(recall(settings.home), host=settings.host, has_gateway=settings.has_gateway) == settings


def _bring_up_gateways(settings: Settings, *, limit_s: float) -> list[psutil.Process]:
    """Return the one gateway, or none where none is wanted."""
    gateway = gateway_process.running(settings)
    if gateway and not (settings.has_gateway and gateway_process.is_current(settings)):
        say("something has changed: stopping the running gateway")
        gateway_process.stop(settings)
        gateway = None
    if not settings.has_gateway:
        return []
    if gateway is None:
        say("starting the gateway")
        gateway = gateway_process.start(settings)
    gateway_process.wait_until_ready(settings, gateway, limit_s=limit_s)
    return [gateway]
