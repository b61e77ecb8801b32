"""What ``scripts/serve`` does, step by step, saying what it does.

Owns the order of the steps and what is left alone because it is right already.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil
import pynvml

from server.archives import BuildError, build
from server.bootstrap import ROOT
from server.configuration import DEFAULT_HOME, DEFAULT_LISTS, DEFAULT_STORE, Ports, Settings, recall
from server.instance import StartError, running, start, stop, wait_until_ready
from server.lists import prepare_lists
from server.management import ManagementError
from server.tables import show_addresses, show_answers

SAMPLE = ROOT / "samples" / "drawn_goldfish.jpg"


def serve(options: argparse.Namespace) -> int:
    """Bring the server up; return the exit status."""
    settings = settings_from(options)
    try:
        java, answer = bring_up(settings, limit_s=options.wait)
    except (BuildError, StartError, ManagementError) as error:
        say(str(error))
        return 1
    show_answers([(SAMPLE.name, answer)])
    show_addresses(settings)
    if settings.pack == "demo":
        say("this is the small demo pack; scripts/fetch_models gets the full models")
    return stay(settings, java) if options.foreground else 0


def settings_from(options: argparse.Namespace) -> Settings:
    """Turn the command line into settings."""
    first = options.base_port
    return Settings(
        home=(options.home or DEFAULT_HOME).resolve(),
        store=(options.store or DEFAULT_STORE).resolve(),
        ports=Ports(*range(first, first + 5)) if first else Ports(),
        pack=options.packs,
        device=present_device(options.device),
        own_lists=(options.species_lists or DEFAULT_LISTS).resolve(),
    )


def bring_up(settings: Settings, *, limit_s: float) -> tuple[psutil.Process, dict[str, object]]:
    """Build what has changed, start the server unless it runs so already, and identify the sample.

    What was started is stopped again if it does not come up.
    """
    is_built = build(settings.store, pack=settings.pack, device=settings.device, say=say)
    is_changed = prepare_lists(settings, say) or is_built
    java = running(settings)
    if java and (is_changed or recall(settings.home) != settings):
        say("something has changed: stopping the running server")
        stop(settings)
        java = None
    if java is None:
        say(f"starting TorchServe with the {settings.pack} pack on the {settings.device}")
        java = start(settings)
    try:
        return java, wait_until_ready(settings, java, SAMPLE.read_bytes(), limit_s=limit_s, say=say)
    except BaseException:
        stop(settings)
        raise


def stay(settings: Settings, java: psutil.Process) -> int:
    """Wait until the server ends or this process is told to; return the exit status."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        say("stopping")
        stop(settings)
        sys.exit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    threading.Thread(target=_follow, args=(settings.log,), daemon=True).start()
    java.wait()
    say("TorchServe has ended by itself")
    stop(settings)
    return 1


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


def _follow(log: Path) -> None:
    """Print what is added to the log: in a container it belongs on the standard output."""
    with log.open(errors="replace") as file:
        file.seek(0, 2)
        while True:
            line = file.readline()
            if line:
                print(line, end="", flush=True)
            else:
                time.sleep(0.5)
