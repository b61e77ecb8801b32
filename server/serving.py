"""What ``scripts/serve`` does, step by step, saying what it does.

Owns the order of the steps and what is left alone because it is right already.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn

import psutil
import pynvml

from server import gateway_process
from server.archives import BuildError, build
from server.bootstrap import ROOT
from server.configuration import (
    DEFAULT_HOME,
    DEFAULT_LISTS,
    DEFAULT_STORE,
    LOOPBACK,
    PORT_COUNT,
    Ports,
    Settings,
    recall,
    remember,
)
from server.following import follow
from server.instance import StartError, clear_before_start, running, start, stop, wait_until_ready
from server.lists import prepare_lists
from server.management import ManagementError
from server.tables import show_addresses, show_answers

SAMPLE = ROOT / "samples" / "drawn_goldfish.jpg"


def serve(options: argparse.Namespace) -> int:
    """Bring the server up; return the exit status."""
    settings = settings_from(options)
    if options.foreground:
        _stop_all_when_told(settings)
    try:
        _refuse_half_a_server(settings)
        processes, answer = bring_up(settings, limit_s=options.wait)
    except (BuildError, StartError, ManagementError) as error:
        say(str(error))
        return 1
    show_answers([(SAMPLE.name, answer if settings.models == "both" else _best_of(answer))])
    show_addresses(settings)
    if settings.pack == "demo":
        say("this is the small demo pack; scripts/fetch_models gets the full models")
    return stay(settings, processes) if options.foreground else 0


def _best_of(opinion: dict[str, Any]) -> dict[str, Any]:
    """Return one model's opinion in the form of an answer."""
    return {**opinion["candidates"][0], "source": opinion["source"], "degraded": False, "low_confidence": False}


def settings_from(options: argparse.Namespace) -> Settings:
    """Turn the command line into settings."""
    first = options.base_port
    return Settings(
        home=(options.home or DEFAULT_HOME).resolve(),
        store=(options.store or DEFAULT_STORE).resolve(),
        ports=Ports(*range(first, first + PORT_COUNT)) if first else Ports(),
        pack=options.packs,
        device=present_device(options.device),
        own_lists=(options.species_lists or DEFAULT_LISTS).resolve(),
        host=options.listen or LOOPBACK,
        has_gateway=not options.no_gateway,
        torchserve_host=options.torchserve_listen or LOOPBACK,
        metrics_host=options.metrics_listen or options.torchserve_listen or LOOPBACK,
        has_tokens=not options.no_tokens,
        models=options.models,
    )


def _refuse_half_a_server(settings: Settings) -> None:
    """Raise StartError for a gateway without models, and for a TorchServe beside it that others can reach."""
    is_its_own = settings.has_tokens and settings.torchserve_host == LOOPBACK and settings.models == "both"
    if settings.has_gateway and not is_its_own:
        raise StartError(
            "a TorchServe that others reach, that asks for no token, or that serves one model only is for gateways "
            "elsewhere; add --no-gateway, or leave --torchserve-listen, --no-tokens and --models away"
        )
    if not settings.has_tokens and settings.torchserve_host != LOOPBACK:
        say(
            f"TorchServe lets in whoever reaches port {settings.ports.inference} of {settings.torchserve_host}: "
            "see to it that the network lets only gateways through"
        )


def bring_up(settings: Settings, *, limit_s: float) -> tuple[list[psutil.Process], dict[str, Any]]:
    """Build what has changed, start TorchServe and the gateway unless they run so already, and identify the sample.

    Returns the processes of both, or of TorchServe alone. What was started is stopped again if it does not come up.
    """
    clear_before_start(settings)
    is_built = build(settings.store, pack=settings.pack, device=settings.device, say=say)
    is_changed = prepare_lists(settings, say) or is_built
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


def _bring_up_torchserve(
    settings: Settings, *, is_changed: bool, limit_s: float
) -> tuple[psutil.Process, dict[str, Any]]:
    java = running(settings)
    # What is said of the gateway is nothing to TorchServe.
    known = replace(recall(settings.home), host=settings.host, has_gateway=settings.has_gateway)
    if java and (is_changed or known != settings):
        say("something has changed: stopping the running server")
        stop_all(settings)
        java = None
    if java is None:
        say(f"starting TorchServe with the {settings.pack} pack on the {settings.device}")
        java = start(settings)
    return java, wait_until_ready(settings, java, SAMPLE.read_bytes(), limit_s=limit_s, say=say)


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


def stay(settings: Settings, processes: Sequence[psutil.Process]) -> int:
    """Wait until one of the processes ends; stop the others and return the exit status."""
    for log in (settings.log, settings.gateway_log, settings.access_log):
        threading.Thread(target=follow, args=(log,), daemon=True).start()
    ended: list[psutil.Process] = []
    while not ended:
        ended, _ = psutil.wait_procs(processes, timeout=1.0)
    say(f"{'TorchServe' if processes[0] in ended else 'the gateway'} has ended by itself")
    stop_all(settings)
    return 1


def _stop_all_when_told(settings: Settings) -> None:
    """End with status 0 and leave nothing behind on SIGTERM and SIGINT, from now on: a start may be stopped too."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        say("stopping")
        stop_all(settings)
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)


def present_device(wanted: str) -> str:
    """Return ``wanted``, or for ``auto`` what this machine has: ``gpu`` or ``cpu``."""
    if wanted != "auto":
        return wanted
    try:
        pynvml.nvmlInit()
        return "gpu" if pynvml.nvmlDeviceGetCount() > 0 else "cpu"
    except pynvml.NVMLError:
        return "cpu"


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"fishgate: {text}", file=sys.stderr, flush=True)
