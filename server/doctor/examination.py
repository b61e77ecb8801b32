"""The whole examination: which checks there are, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from server.configuration import Settings, SettingsError, recall
from server.doctor.archives import check_archives, check_packs
from server.doctor.deployment import check_deployment
from server.doctor.finding import Finding, broken
from server.doctor.gpu import check_gpu
from server.doctor.java import check_java
from server.doctor.lists import check_lists
from server.doctor.machine import check_disk, check_memory
from server.doctor.ports import check_ports
from server.doctor.processes import check_gateway, check_torchserve
from server.doctor.tokens import check_keys, check_tokens
from server.doctor.versions import check_python, check_requirements

Check = Callable[[Settings], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    check_python,
    check_requirements,
    check_java,
    check_memory,
    check_disk,
    check_gpu,
    check_packs,
    check_archives,
    check_lists,
    check_ports,
    check_tokens,
    check_keys,
    check_torchserve,
    check_gateway,
    check_deployment,
)

OF_ANY: tuple[Check, ...] = (check_python, check_requirements, check_java)
"""Those that need not know how an installation is set up."""


def examine_home(home: Path) -> Iterator[Finding]:
    """Return what is found of the installation in a home folder; little, if it is not known how it is set up."""
    try:
        settings = recall(home)
    except SettingsError as error:
        yield _unknown(error)
        yield from examine(Settings(home=home), OF_ANY)
    else:
        yield from examine(settings)


def examine(settings: Settings, checks: Iterable[Check] = CHECKS) -> Iterator[Finding]:
    """Return what all checks find. One that fails itself is a finding too: the others go on."""
    for check in checks:
        try:
            yield from check(settings)
        except Exception as error:
            part = getattr(check, "__name__", "?").removeprefix("check_")
            seen = f"the check itself failed ({type(error).__name__}: {str(error)[:200]})"
            yield broken(part, seen, "mend the other lines first; if it stays, this is an error of scripts/doctor")


def _unknown(error: SettingsError) -> Finding:
    seen, _, advice = str(error).partition("; ")
    return broken(
        "settings", f"{seen}: ports, folders and processes cannot be looked at", advice or "let this user read it"
    )
