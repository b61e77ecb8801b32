"""The settings of one running Fishgate, TorchServe and the gateway before it: home folder, ports, files.

``config.properties`` in the repository is the one home of server settings; what is written here
is that file with places filled in.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import string
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from server.bootstrap import ROOT
from server.storing import write_whole

# Where the program itself cannot be written to, as in a container, these two lead to a folder that can.
DEFAULT_HOME = Path(os.environ.get("FISHGATE_HOME") or ROOT / ".run")
DEFAULT_STORE = Path(os.environ.get("FISHGATE_STORE") or ROOT / "model_store")
DEFAULT_LISTS = ROOT / "species_lists"
LOOPBACK = "127.0.0.1"
_MEMORY = "server.json"


@dataclass(frozen=True)
class Ports:
    """The five ports of one TorchServe and the two of the gateway before it."""

    inference: int = 8080
    management: int = 8081
    metrics: int = 8082
    grpc_inference: int = 7070
    grpc_management: int = 7071
    gateway: int = 8000
    gateway_grpc: int = 7080

    @property
    def of_torchserve(self) -> tuple[int, ...]:
        """TorchServe's ports."""
        return (self.inference, self.management, self.metrics, self.grpc_inference, self.grpc_management)

    @property
    def of_gateway(self) -> tuple[int, ...]:
        """The gateway's ports."""
        return (self.gateway, self.gateway_grpc)


PORT_COUNT = len(fields(Ports))


class SettingsError(SystemExit):
    """What was remembered of a server cannot be read; the message says what to do.

    A script that has no better use for it ends with that one line, and status 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = f"fishgate: {message}"


@dataclass(frozen=True)
class Settings:
    """Where one Fishgate lives and listens.

    ``home`` holds its logs, keys and temporary files, ``store`` the archives, ``pack`` and
    ``device`` say what they were built of. ``own_lists`` holds the operator's species lists,
    ``host`` is the address on which the gateway listens, if there is one, ``torchserve_host`` that of
    TorchServe's inference API and ``metrics_host`` that of its metrics; its other ports are always on
    the loopback address. Without ``has_tokens`` it lets in everybody who reaches it. ``models`` is
    ``both``, ``expert`` or ``zero_shot``.
    """

    home: Path = DEFAULT_HOME
    store: Path = DEFAULT_STORE
    ports: Ports = Ports()
    pack: str = "demo"
    device: str = "cpu"
    own_lists: Path = DEFAULT_LISTS
    host: str = LOOPBACK
    has_gateway: bool = True
    torchserve_host: str = LOOPBACK
    metrics_host: str = LOOPBACK
    has_tokens: bool = True
    models: str = "both"

    @property
    def has_expert(self) -> bool:
        """Whether the expert is served, and the workflow with it."""
        return self.models in ("both", "expert")

    @property
    def has_zero_shot(self) -> bool:
        """Whether zero-shot is served."""
        return self.models in ("both", "zero_shot")

    @property
    def served_models(self) -> tuple[str, ...]:
        """Which models of a pack are served."""
        return ("expert", "zero_shot") if self.models == "both" else (self.models,)

    @property
    def served(self) -> str:
        """What TorchServe is asked to load, in words."""
        parts = (["zero_shot"] if self.has_zero_shot else []) + (["the workflow fish"] if self.has_expert else [])
        return " and ".join(parts)

    @property
    def lists(self) -> Path:
        """All species lists with their embeddings, from which the workers read them."""
        return self.home / "species_lists"

    @property
    def key_file(self) -> Path:
        """TorchServe's tokens; it writes the file into the folder that it is started in."""
        return self.home / "key_file.json"

    @property
    def temporary(self) -> Path:
        """TorchServe's own temporary folder: pid file, sockets and unpacked archives."""
        return self.home / "tmp"

    @property
    def log(self) -> Path:
        """What TorchServe prints."""
        return self.home / "torchserve.log"

    @property
    def gateway_log(self) -> Path:
        """What the gateway prints."""
        return self.home / "gateway.log"

    @property
    def access_log(self) -> Path:
        """A line of JSON for each request that the gateway answered."""
        return self.home / "access.log"

    @property
    def gateway_url(self) -> str:
        """The address of the gateway: the web page, and below it the API."""
        return f"http://{_reached(self.host)}:{self.ports.gateway}"

    @property
    def url(self) -> str:
        """The address of the inference API."""
        return f"http://{_reached(self.torchserve_host)}:{self.ports.inference}"

    @property
    def management_url(self) -> str:
        """The address of the management API."""
        return f"http://127.0.0.1:{self.ports.management}"

    @property
    def metrics_url(self) -> str:
        """The address that Prometheus scrapes."""
        return f"http://{_reached(self.metrics_host)}:{self.ports.metrics}/metrics"


def write_files(settings: Settings) -> Path:
    """Write the configuration files into the home folder; return the path of config.properties."""
    settings.temporary.mkdir(parents=True, exist_ok=True)
    template = string.Template((ROOT / "config.properties").read_text())
    ports = {f"{name}_port": port for name, port in asdict(settings.ports).items()}
    text = template.substitute(
        home=settings.home,
        stores=settings.store,
        inference_host=_bracketed(settings.torchserve_host),
        metrics_host=_bracketed(settings.metrics_host),
        first_models="zero_shot.mar" if settings.has_zero_shot else "",
        are_tokens_off=str(not settings.has_tokens).lower(),
        **ports,
    )
    path = settings.home / "config.properties"
    path.write_text(text)
    shutil.copy(ROOT / "metrics.yaml", settings.home)
    shutil.copy(ROOT / "log4j2.xml", settings.home)
    return path


def remember(settings: Settings) -> None:
    """Write down where the server listens, for the other scripts."""
    value = {
        "store": str(settings.store),
        "pack": settings.pack,
        "device": settings.device,
        "own_lists": str(settings.own_lists),
        "host": settings.host,
        "has_gateway": settings.has_gateway,
        "torchserve_host": settings.torchserve_host,
        "metrics_host": settings.metrics_host,
        "has_tokens": settings.has_tokens,
        "models": settings.models,
        "ports": asdict(settings.ports),
    }
    write_whole(settings.home / _MEMORY, json.dumps(value, indent=1))


def recall(home: Path = DEFAULT_HOME) -> Settings:
    """Read back what ``remember`` wrote; the defaults if nothing was written. Raises SettingsError."""
    return recall_if_known(home) or Settings(home=home)


def recall_if_known(home: Path) -> Settings | None:
    """Read back what ``remember`` wrote; None if nothing was written. Raises SettingsError."""
    path = home / _MEMORY
    try:
        return _settings_in(home, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        advice = "remove it, and call scripts/serve with the options that this server was started with"
        raise SettingsError(f"{path} is damaged ({error!r}); {advice}") from None


def _settings_in(home: Path, value: dict[str, Any]) -> Settings:
    return Settings(
        home=home,
        store=Path(value["store"]),
        pack=value["pack"],
        device=value["device"],
        # An older version wrote none of these, nor the gateway's ports.
        own_lists=Path(value.get("own_lists", DEFAULT_LISTS)),
        host=value.get("host", LOOPBACK),
        has_gateway=value.get("has_gateway", True),
        torchserve_host=value.get("torchserve_host", LOOPBACK),
        metrics_host=value.get("metrics_host", LOOPBACK),
        has_tokens=value.get("has_tokens", True),
        models=value.get("models", "both"),
        ports=Ports(**value["ports"]),
    )


def _reached(host: str) -> str:
    """Return the part of a URL by which what listens on ``host`` is reached from this machine."""
    return LOOPBACK if host in ("0.0.0.0", "::") else _bracketed(host)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def free_ports() -> Ports:
    """Return ports that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(PORT_COUNT)]
    for one in sockets:
        one.bind((LOOPBACK, 0))
    numbers = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return Ports(*numbers)


def taken_ports(ports: Iterable[int]) -> list[int]:
    """Return the ports that somebody listens on already."""
    return [port for port in ports if _is_taken(port)]


def _is_taken(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex((LOOPBACK, port)) == 0
