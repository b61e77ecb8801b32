"""Starting and stopping the gateway, which is a process of its own.

Owns that process: nothing that it started is left behind, and nothing else is ever touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from server.bootstrap import ROOT
from server.configuration import Settings, taken_ports
from server.fingerprints import files_in, fingerprint
from server.instance import StartError

PREFIX = "FISHGATE_GATEWAY_"
HOME_VARIABLE = f"{PREFIX}HOME"
HOSTS_VARIABLE = f"{PREFIX}TORCHSERVE_URL"
_COMMAND = ["-m", "gateway"]
_STOP_LIMIT_S = 60.0  # longer than the gateway itself lets requests in flight take


def start(settings: Settings) -> psutil.Process:
    """Start the gateway and return its process; it goes on when the caller ends. Raises StartError."""
    taken = taken_ports(settings.ports.of_gateway)
    if taken:
        raise StartError(f"port {taken[0]} is taken by another program; stop it, or choose others with --base-port")
    if settings.gateway_log.exists():  # what an earlier one said must not be taken for this one's
        settings.gateway_log.replace(settings.gateway_log.with_suffix(".log.1"))
    with settings.gateway_log.open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, *_COMMAND],
            cwd=ROOT,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _record(settings).write_text(json.dumps({"pid": started.pid, "fingerprint": _fingerprint(settings)}))
    process = psutil.Process(started.pid)
    started.returncode = 0  # else Popen would complain that it goes on without being waited for
    return process


def wait_until_ready(settings: Settings, process: psutil.Process, *, limit_s: float) -> None:
    """Wait until a picture has gone through the gateway and both models; raise StartError if that does not come."""
    deadline_s = time.monotonic() + limit_s
    said = "it does not answer"
    while time.monotonic() < deadline_s:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise StartError(f"the gateway ended while starting; its last words:\n{_last_words(settings.gateway_log)}")
        try:
            reply = requests.get(f"{settings.gateway_url}/readyz", timeout=10)
            if reply.ok:
                return
            said = reply.text
        except requests.RequestException:
            pass  # not up yet
        time.sleep(0.1)
    raise StartError(f"the gateway is not ready in time: {said}\n{_last_words(settings.gateway_log)}")


def running(settings: Settings) -> psutil.Process | None:
    """Return the gateway's process if it runs."""
    try:
        process = psutil.Process(int(_recorded(settings)["pid"]))
        return process if _is_ours(process, settings) else None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None


def is_current(settings: Settings) -> bool:
    """Tell whether the gateway was started with these settings and the program as it is now."""
    try:
        return bool(_recorded(settings)["fingerprint"] == _fingerprint(settings))
    except (OSError, ValueError, KeyError):
        return False


def stop(settings: Settings, *, limit_s: float = _STOP_LIMIT_S) -> bool:
    """Stop the gateway once it has finished what is in flight; return whether it was running.

    What is still there after ``limit_s`` seconds is killed.
    """
    ours = [process for process in psutil.process_iter() if _is_ours(process, settings)]
    for process in ours:
        process.terminate()
    _, left = psutil.wait_procs(ours, timeout=limit_s)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10.0)
    _record(settings).unlink(missing_ok=True)
    return bool(ours)


def asks_elsewhere(settings: Settings) -> bool:
    """Tell whether this process was given another TorchServe, or several, for the gateway to ask."""
    return os.environ.get(HOSTS_VARIABLE, settings.url) != settings.url


def environment(settings: Settings) -> dict[str, str]:
    """Return the gateway's environment: what this process was given, and what the settings say."""
    own = {
        "HOME": settings.home,
        "HOST": settings.host,
        "PORT": settings.ports.gateway,
        "GRPC_PORT": settings.ports.gateway_grpc,
        "TORCHSERVE_URL": settings.url,
        "TORCHSERVE_KEY_FILE": settings.key_file,
        "SPECIES_LISTS": settings.lists,
    }
    log = {f"{PREFIX}ACCESS_LOG": str(settings.access_log)}  # unless somebody wants it elsewhere
    inherited = {name: value for name, value in os.environ.items() if name != "FISHGATE_KEY"}  # a client's key
    return {**log, **inherited, **{f"{PREFIX}{name}": str(value) for name, value in own.items()}}


def _is_ours(process: psutil.Process, settings: Settings) -> bool:
    """Tell a gateway of this home from all other processes: by its command, and by the home that it was given."""
    try:
        is_gateway = process.cmdline()[1:] == _COMMAND and process.status() != psutil.STATUS_ZOMBIE
        return is_gateway and process.environ().get(HOME_VARIABLE) == str(settings.home)
    except psutil.Error:
        return False


def _fingerprint(settings: Settings) -> str:
    program = [*files_in(ROOT / "gateway"), *files_in(ROOT / "fishgate"), *files_in(settings.lists)]
    told = environment(settings)
    return fingerprint(program, *(f"{name}={told[name]}" for name in sorted(told) if name.startswith(PREFIX)))


def _record(settings: Settings) -> Path:
    return settings.home / "gateway.json"


def _recorded(settings: Settings) -> dict[str, Any]:
    return dict(json.loads(_record(settings).read_text()))


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:]) if log.exists() else "(none)"
