"""What ``scripts/serve`` does: it reads its command line, brings Fishgate up, and stays if it is told to.

Owns what the command line means, what of it is refused, and the exit status.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import psutil
import pynvml

from server import gateway_process
from server.archives import BuildError
from server.configuration import (
    DEFAULT_HOME,
    DEFAULT_LISTS,
    DEFAULT_STORE,
    LOOPBACK,
    PORT_COUNT,
    Ports,
    Settings,
    recall_if_known,
)
from server.deploy.alone import alone
from server.deploy.errors import DeployError
from server.deploy.leftovers import remembered_pack
from server.following import follow
from server.instance import StartError
from server.management import ManagementError
from server.saying import say
from server.starting import SAMPLE, bring_up, stop_all
from server.tables import show_addresses, show_answers


def serve(options: argparse.Namespace) -> int:
    """Bring the server up; return the exit status."""
    try:
        settings = settings_from(options)
        if options.foreground:
            _stop_all_when_told(settings)
        _refuse_half_a_server(settings)
        _refuse_hosts_elsewhere(settings)
        settings.home.mkdir(parents=True, exist_ok=True)
        with alone(settings.home, "scripts/serve"):
            settings = settings_from(options)  # once more: now nobody else changes what was served last
            processes, answer = bring_up(settings, limit_s=options.wait)
    except (BuildError, StartError, ManagementError, DeployError) as error:
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
    """Turn the command line into settings; pack and device are those of the last start if it names none.

    Raises DeployError if it cannot be told which pack was served.
    """
    first = options.base_port
    home = (options.home or DEFAULT_HOME).resolve()
    known = recall_if_known(home)
    return Settings(
        home=home,
        store=(options.store or DEFAULT_STORE).resolve(),
        ports=Ports(*range(first, first + PORT_COUNT)) if first else Ports(),
        pack=options.packs or remembered_pack(home),
        device=present_device(options.device or (known.device if known else "auto")),
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


def _refuse_hosts_elsewhere(settings: Settings) -> None:
    """Raise StartError where a gateway for other hosts seems to be wanted: the one here asks its own TorchServe."""
    if settings.has_gateway and gateway_process.asks_elsewhere(settings):
        raise StartError(
            f"{gateway_process.HOSTS_VARIABLE} is set, and scripts/serve starts a gateway before its own TorchServe: "
            "start a gateway for several hosts with .venv/bin/python -m gateway (docs/operations.md), or unset it here"
        )


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
