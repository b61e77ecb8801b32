"""Which version of each model gets how many packets: the file in which ``scripts/deploy_model`` says so.

Owns the form of two small JSON files and nothing else: ``traffic.json``, written by whoever changes a model, and
``traffic_seen.json``, in which the gateway says how far it has followed. Why so: docs/decisions/blue_green.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from fishgate.errors import SettingError
from fishgate.record import Record, explain

TRAFFIC_FILE = "traffic.json"
SEEN_FILE = "traffic_seen.json"

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$"
"""Names and versions become part of an address."""


class Target(Record, frozen=True):
    """One version of a model at TorchServe; without ``version`` whichever is TorchServe's default."""

    name: str = Field(pattern=NAME)
    version: str | None = Field(default=None, pattern=NAME)

    @property
    def path(self) -> str:
        """Its address below ``/predictions/``."""
        return self.name if self.version is None else f"{self.name}/{self.version}"


class Route(Record, frozen=True):
    """Where the packets of a model go: ``share`` of them, 0.0 to 1.0, to the canary, the others to ``main``."""

    main: Target
    canary: Target | None = None
    share: float = Field(default=0.0, ge=0.0, le=1.0)


class Traffic(Record, frozen=True):
    """What the file says. ``mark`` tells one writing of it from the next; a model without a route has its default."""

    mark: str = ""
    expert: Route | None = None
    zero_shot: Route | None = None


NO_TRAFFIC = Traffic()
"""What holds without a file."""


@dataclass(frozen=True)
class Seen:
    """How far the gateway has followed: the mark that it goes by, and the packets still under way elsewhere.

    ``set_aside`` are the paths of the canaries that failed too often to get any more.
    """

    mark: str
    busy: Mapping[str, int]
    set_aside: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Write it in one step; raises OSError."""
        prepared = path.with_name(f".{path.name}.{os.getpid()}")
        prepared.write_text(json.dumps(asdict(self)))
        prepared.replace(path)


def read_traffic(path: Path) -> Traffic:
    """Read the file; raise SettingError if it is wrong. One that is not there says nothing."""
    try:
        return Traffic.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return NO_TRAFFIC
    except OSError as error:
        raise SettingError(f"{path.name} cannot be read ({error.strerror})") from None
    except ValidationError as error:
        raise SettingError(f"{path.name} is wrong: {explain(error)}") from None
