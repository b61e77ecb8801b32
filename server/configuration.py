"""The settings of one running TorchServe: its home folder, its ports, its configuration files.

``config.properties`` in the repository is the one home of server settings; what is written here
is that file with places filled in.
"""

from __future__ import annotations

import json
import shutil
import socket
import string
from dataclasses import asdict, dataclass
from pathlib import Path

from server.bootstrap import ROOT

DEFAULT_HOME = ROOT / ".run"
DEFAULT_STORE = ROOT / "model_store"
DEFAULT_LISTS = ROOT / "species_lists"


@dataclass(frozen=True)
class Ports:
    """The five ports of one TorchServe, all on the loopback address."""

    inference: int = 8080
    management: int = 8081
    metrics: int = 8082
    grpc_inference: int = 7070
    grpc_management: int = 7071


@dataclass(frozen=True)
class Settings:
    """Where one TorchServe lives and listens.

    ``home`` holds its logs, keys and temporary files, ``store`` the archives, ``pack`` and
    ``device`` say what they were built of. ``own_lists`` holds the operator's species lists.
    """

    home: Path = DEFAULT_HOME
    store: Path = DEFAULT_STORE
    ports: Ports = Ports()
    pack: str = "demo"
    device: str = "cpu"
    own_lists: Path = DEFAULT_LISTS

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
    def url(self) -> str:
        """The address of the inference API."""
        return f"http://127.0.0.1:{self.ports.inference}"

    @property
    def management_url(self) -> str:
        """The address of the management API."""
        return f"http://127.0.0.1:{self.ports.management}"

    @property
    def metrics_url(self) -> str:
        """The address that Prometheus scrapes."""
        return f"http://127.0.0.1:{self.ports.metrics}/metrics"


def write_files(settings: Settings) -> Path:
    """Write the configuration files into the home folder; return the path of config.properties."""
    settings.temporary.mkdir(parents=True, exist_ok=True)
    template = string.Template((ROOT / "config.properties").read_text())
    ports = {f"{name}_port": port for name, port in asdict(settings.ports).items()}
    text = template.substitute(home=settings.home, stores=settings.store, **ports)
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
        "ports": asdict(settings.ports),
    }
    (settings.home / "server.json").write_text(json.dumps(value, indent=1))


def recall(home: Path = DEFAULT_HOME) -> Settings:
    """Read back what ``remember`` wrote; the defaults if nothing was written."""
    path = home / "server.json"
    if not path.exists():
        return Settings(home=home)
    value = json.loads(path.read_text())
    return Settings(
        home=home,
        store=Path(value["store"]),
        pack=value["pack"],
        device=value["device"],
        own_lists=Path(value.get("own_lists", DEFAULT_LISTS)),  # written by an older version without them
        ports=Ports(**value["ports"]),
    )


def free_ports() -> Ports:
    """Return five ports that nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(5)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    numbers = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return Ports(*numbers)


def taken_ports(ports: Ports) -> list[int]:
    """Return the ports that somebody listens on already."""
    return [port for port in asdict(ports).values() if _is_taken(port)]


def _is_taken(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex(("127.0.0.1", port)) == 0
