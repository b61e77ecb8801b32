"""A container of the image without a container engine: its own processes, network and root file system, which is
read-only, and its user without any capability.

Owns what an engine does of this, in the kernel's own terms; needs root, or is told apart by ``reason_why_not``.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.conftest import ROOT

WORKDIR = "/opt/fishgate"
STATE = "/var/lib/fishgate"
USER = 10001

_APART = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]
_AS_USER = [
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
    "--inh-caps=-all",
]

_BUILD = r"""
set -eu
root=$1 program=$2 state=$3 stamp=$4 environment=$5 interpreter=$6 secrets=$7
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
for folder in bin sbin lib lib32 lib64 libx32 usr etc; do
    if [ -L "/$folder" ]; then
        cp -P "/$folder" .
    elif [ -d "/$folder" ]; then
        mkdir "$folder"; mount --rbind "/$folder" "$folder"; mount -o remount,bind,ro "$folder"
    fi
done
mkdir -p proc dev tmp run/secrets ".$8" ".$9" ".$interpreter"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=1777,size=64m tmpfs dev/shm
mount -t tmpfs -o mode=1777,noexec tmpfs tmp
mount --bind "$program" ".$8"
mount --rbind "$environment" ".$8/.venv"
mount --bind "$stamp" ".$8/.venv/.fishgate-requirements"
mount --rbind "$interpreter" ".$interpreter"
mount --bind "$state" ".$9"
mount --bind "$secrets" run/secrets
for folder in ".$8" ".$8/.venv" ".$8/.venv/.fishgate-requirements" ".$interpreter" run/secrets .; do
    mount -o remount,bind,ro "$folder"
done
ip link set lo up
shift 9
exec chroot . "$@"
"""


def reason_why_not() -> str | None:
    """Say why there can be no jail here, None if there can."""
    if sys.platform != "linux":
        return "namespaces are Linux's"
    tried = subprocess.run([*_APART, "sh", "-c", "mount --make-rprivate / && ip link"], capture_output=True, text=True)
    return f"namespaces cannot be made: {tried.stderr.strip()}" if tried.returncode else None


class Jail:
    """One start of a command in a jail. ``folder`` holds what it needs meanwhile; ``state`` outlives it."""

    def __init__(
        self,
        folder: Path,
        program: Path,
        state: Path,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        secrets: Path,
        stamp: Path,
    ) -> None:
        root = folder / "root"
        root.mkdir(parents=True, exist_ok=True)
        (program / ".venv").mkdir(exist_ok=True)
        interpreter = Path(sys.base_prefix).resolve()
        places = [root, program, state, stamp, ROOT / ".venv", interpreter, secrets]
        self._environment = environment
        self.process = subprocess.Popen(
            [*_APART, "sh", "-c", _BUILD, "jail", *map(str, places), WORKDIR, STATE, *self._inside(command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []

    def wait_for(self, beginning: str) -> None:
        """Wait until it prints a line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if line.startswith(beginning):
                return
        raise AssertionError("it ended before it was up:\n" + "\n".join(self.said))

    @property
    def first(self) -> psutil.Process:
        """Its process number 1."""
        return psutil.Process(self.process.pid).children()[0]

    def processes(self, part: str) -> list[psutil.Process]:
        """Its processes in whose command line ``part`` stands."""
        return [one for one in self.first.children(recursive=True) if part in " ".join(one.cmdline())]

    def run(self, command: Sequence[str], **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, with further variables."""
        into = ["nsenter", f"--target={self.first.pid}", "--mount", "--pid", "--net", "--uts", "--ipc", "--root"]
        return subprocess.run([*into, *self._inside(command, **more)], capture_output=True, text=True, timeout=120)

    def listening(self) -> set[tuple[str, int]]:
        """Addresses and ports of IPv4 and IPv6 on which somebody in it listens; ``*`` is any address."""
        lines = (Path(f"/proc/{self.first.pid}/net") / name for name in ("tcp", "tcp6"))
        rows = [line.split() for file in lines for line in file.read_text().splitlines()[1:]]
        return {_address(row[1]) for row in rows if row[3] == "0A"}

    def end(self, number: signal.Signals) -> int:
        """Send process number 1 a signal; return the exit status."""
        self.first.send_signal(number)
        return self.status()

    def status(self) -> int:
        """Wait until it ends; return its exit status."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read().splitlines()
        return self.process.wait()

    def destroy(self) -> None:
        """End it, whatever it does; nothing of it is left."""
        self.process.kill()  # --kill-child takes the rest along
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _inside(self, command: Sequence[str], **more: str) -> list[str]:
        told = [f"{name}={value}" for name, value in {**self._environment, **more}.items()]
        return [*_AS_USER, "env", "-i", f"--chdir={WORKDIR}", *told, *command]


def _address(text: str) -> tuple[str, int]:
    address, port = text.split(":")
    number = bytes.fromhex(address)[::-1] if len(address) == 8 else bytes.fromhex(address)
    if not any(number):
        return "*", int(port, 16)
    loopback = number[:1] == b"\x7f" or address.endswith(("7F000001", "0100007F", "01000000"))
    return ("loopback" if loopback else address), int(port, 16)
