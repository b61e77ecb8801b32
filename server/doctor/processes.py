"""The processes: TorchServe, its workers, and the gateway before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import psutil
import requests

from server import gateway_process, instance
from server.configuration import Settings
from server.doctor.finding import Finding, broken, good, warning
from server.management import ManagementError, TorchServe

_AGAIN = "run scripts/stop, then scripts/serve"


def check_torchserve(settings: Settings) -> Iterator[Finding]:
    """Find a TorchServe that does not run, does not answer, or left workers behind."""
    if instance.running(settings) is None:
        left = instance.orphans(settings)
        if left:
            pids = ", ".join(str(process.pid) for process in left)
            yield broken("torchserve", f"it has ended and left processes behind: {pids}", _AGAIN)
        else:
            yield _stopped("torchserve", gateway_process.running(settings), settings)
    elif not TorchServe(settings).is_healthy():
        yield broken("torchserve", f"it runs, and does not answer; its last words are in {settings.log}", _AGAIN)
    else:
        yield good("torchserve", f"it answers at {settings.url}")
        served = [
            *(("expert", "router") if settings.has_expert else ()),
            *(("zero_shot",) if settings.has_zero_shot else ()),
        ]
        yield from _workers(TorchServe(settings), served)


def check_gateway(settings: Settings) -> Iterator[Finding]:
    """Find a gateway that does not run, is not ready, or is not the one that its settings describe."""
    process = gateway_process.running(settings)
    if not settings.has_gateway:
        yield good("gateway", "none here, as the server was told")
    elif process is None:
        yield _stopped("gateway", instance.running(settings), settings)
    else:
        yield _readiness(settings)
        if not gateway_process.is_current(settings):
            seen = "it was started with other settings or an older program than this shell has"
            yield warning("gateway", seen, "run scripts/serve, which starts it anew")


def _stopped(part: str, other: psutil.Process | None, settings: Settings) -> Finding:
    if other is None:
        return warning(part, "it does not run", "run scripts/serve")
    log = settings.log if part == "torchserve" else settings.gateway_log
    return broken(part, f"it does not run, though the other process does; its last words are in {log}", _AGAIN)


def _workers(server: TorchServe, models: Iterable[str]) -> Iterator[Finding]:
    for model in models:
        try:
            states = [str(worker["status"]) for worker in server.describe(model)["workers"]]
        except ManagementError as error:
            yield broken("workers", f"{model}: {error}", _AGAIN)
            continue
        ready = states.count("READY")
        seen = f"{model}: {ready} of {len(states)} ready"
        if ready and ready == len(states):
            yield good("workers", seen)
        elif ready:
            yield warning("workers", seen, "wait a minute; if it stays so, look into torchserve.log")
        else:
            yield broken("workers", seen, f"look into torchserve.log, then {_AGAIN}")


def _readiness(settings: Settings) -> Finding:
    try:
        reply = requests.get(f"{settings.gateway_url}/readyz", timeout=10)
    except requests.RequestException as error:
        seen = f"it runs, and does not answer at {settings.gateway_url} ({type(error).__name__})"
        return broken("gateway", seen, f"look into {settings.gateway_log}, then {_AGAIN}")
    if reply.ok:
        return good("gateway", f"it is ready at {settings.gateway_url}")
    return broken("gateway", f"it is not ready: {reply.text.strip()[:300]}", "mend what the other lines say")
