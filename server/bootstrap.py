"""From any Python to the project's own environment in .venv.

Owns which Pythons are accepted, how the locked requirements are installed, and the switch of the
running script into the environment. ``python -m server.bootstrap`` only installs: for images, whose
containers are then told by ``FISHGATE_INSTALL=never`` to do with what is there. It uses the standard
library only, and only such syntax as Python 3.6 reads, so that an old Python gets a message instead
of a SyntaxError.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
OLDEST, NEWEST = (3, 10), (3, 13)
INSTALL_VARIABLE = "FISHGATE_INSTALL"
_STAMP = ".fishgate-requirements"


class BootstrapError(Exception):
    """The environment cannot be made; the message says what to do."""


def enter_environment(requirements: str = "requirements.txt") -> None:
    """Make sure that .venv holds the locked requirements, and go on running in it."""
    python = _installed_or_exit(requirements)
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        os.execv(str(python), [str(python), *sys.argv])


def check_version(version: "tuple[int, int]") -> None:
    """Raise BootstrapError unless this is a Python for which the requirements are locked."""
    if not OLDEST <= version <= NEWEST:
        allowed = "{}.{} to {}.{}".format(*OLDEST, *NEWEST)
        raise BootstrapError(
            "this is Python {}.{}; Fishgate needs {}. Install one of these and start the script with it, "
            "for example: python3.11 scripts/serve".format(*version, allowed)
        )


def _installed_or_exit(requirements: str) -> Path:
    try:
        return _installed(requirements)
    except BootstrapError as error:
        sys.exit(f"fishgate: {error}")


def _installed(requirements: str) -> Path:
    python = ENVIRONMENT / "bin" / "python"
    wanted = _fingerprint(ROOT / requirements)
    if _stamped(wanted) and python.exists():
        return python
    if os.environ.get(INSTALL_VARIABLE) == "never":
        raise BootstrapError(
            f"what is installed in {ENVIRONMENT} is not what {requirements} asks for, and {INSTALL_VARIABLE}=never "
            "forbids to install it; build the image anew, or leave the variable away"
        )
    check_version(sys.version_info[:2])
    _say(f"installing the requirements into {ENVIRONMENT.name} (once; about 5 GB)")
    uv = _uv()
    if not python.exists():
        _run([*uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)])
    # `install`, not `sync`: the tests' requirements and the server's live in one environment.
    _run([*uv, "pip", "install", "--require-hashes", "--python", str(python), "-r", str(ROOT / requirements)])
    _stamp(wanted)
    return python


def _fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _stamped(fingerprint: str) -> bool:
    stamp = ENVIRONMENT / _STAMP
    return stamp.exists() and fingerprint in stamp.read_text().split()


def _stamp(fingerprint: str) -> None:
    with (ENVIRONMENT / _STAMP).open("a") as file:
        file.write(fingerprint + "\n")


def _uv() -> "list[str]":
    """Return the command of uv; get it with pip, into a folder of ours, if it is not there."""
    found = shutil.which("uv")
    if found:
        return [found]
    folder = ROOT / ".run" / "uv"
    if not (folder / "bin" / "uv").exists():
        _say("getting uv with pip")
        _run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "uv"])
    return [str(folder / "bin" / "uv")]


def _run(command: "list[str]") -> None:
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BootstrapError(
            "installing failed ({}). Check that this machine reaches a package index and has 6 GB of free disk, "
            "then run the script again; it goes on where it stopped.".format(error)
        ) from None


def _say(text: str) -> None:
    print(f"fishgate: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    _installed_or_exit("requirements.txt")
