"""The gateway's settings, read once from the environment.

Owns their names, defaults and reasons. The setting ``port`` is the variable ``FISHGATE_GATEWAY_PORT``, and so for
all; an unknown variable of that prefix stops the start.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from fishgate.errors import SettingError
from fishgate.images import DEFAULT_LIMITS, ImageLimits
from fishgate.options import MAX_LABELS
from fishgate.record import Record, explain
from gateway.keys import KEY_FILE
from gateway.resolving import read_addresses

PREFIX = "FISHGATE_GATEWAY_"
TRACES_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own name of the address that spans are sent to."""


class Settings(Record):
    """All settings of one gateway. Lengths of time are in seconds, sizes in bytes."""

    home: Path = Path(".run")
    """The folder of the API keys; it also tells apart the gateways of one machine."""

    key_files: tuple[Path, ...] = ()
    """Files with one API key each, in plain text: secrets that are mounted. Commas stand between them in the variable.
    They count beside the keys that scripts/keys has made, and are called by the names of their files."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    grpc_port: int = Field(default=7080, ge=0, le=65535)
    """Where HTTP and gRPC listen; 0 takes any port that is free."""

    torchserve_url: str = "http://127.0.0.1:8080"
    """Where TorchServe is: ``http://host:port``, or several with commas between them. With ``dns+http://name:port``
    every address of the name is a host of its own."""

    zero_shot_url: str | None = None
    """Where zero-shot is, in the same form, if the hosts of ``torchserve_url`` have only the expert."""

    torchserve_resolve_s: float = Field(default=10.0, gt=0.0)
    """How often the names are looked up again."""

    torchserve_key_file: Path | None = None
    """TorchServe's ``key_file.json`` with the inference token; None where authorization is off. ``{host}`` and
    ``{port}`` in it stand for those of each host, if each has a file of its own."""

    species_lists: Path | None = None
    """The folder of species lists that the workers read as well."""

    keys_required: bool | None = None
    """Whether every request needs an API key. If not set: unless the gateway listens on loopback only.
    On any other address it cannot be switched off."""

    metrics_open: bool = False
    """Whether ``/metrics`` is shown without a key where keys are required."""

    cors_origins: tuple[str, ...] = ()
    """Origins of foreign web pages that may ask; ``*`` is any."""

    deadline_s: float = Field(default=30.0, gt=0.0, le=600.0)
    """How long an answer may take once the picture is here; a client may ask for less."""

    zero_shot_limit_s: float = Field(default=20.0, gt=0.0)
    """How long zero-shot may take of that before the expert's answer stands in."""

    shadow_share: float = Field(default=0.01, ge=0.0, le=1.0)
    """About which part of the pictures that the expert answered zero-shot is asked as well, for the figures of drift:
    after the answer, one at a time, at most a twentieth of its time, and while it has nothing else to do if such a
    moment comes within a minute; 0 asks about none."""

    pictures_at_once: int = Field(default=256, ge=1)
    """How many pictures are worked on: enough to fill the packets of both models several times over."""

    pictures_waiting: int = Field(default=512, ge=0)
    """How many more may wait for their turn; beyond, 503."""

    picture_bytes_at_once: int = Field(default=512_000_000, ge=1)
    """What all pictures that are here may take of memory together."""

    max_picture_bytes: int = Field(default=DEFAULT_LIMITS.max_bytes, ge=1, le=25_000_000)
    max_picture_pixels: int = Field(default=DEFAULT_LIMITS.max_pixels, ge=1)
    max_picture_frames: int = Field(default=DEFAULT_LIMITS.max_frames, ge=1)
    """The largest picture; TorchServe takes no request above 30 MB."""

    batch_pictures: int = Field(default=1_000, ge=1)
    batch_bytes: int = Field(default=2_000_000_000, ge=1)
    batch_at_once: int = Field(default=16, ge=1)
    """How many pictures a batch may hold, how large it may be, and how many of it are worked on at once."""

    field_bytes: int = Field(default=MAX_LABELS * 1_300, ge=1)
    """The largest option: a list of labels, every character written as ``\\ud83d\\udc1f``."""

    cache_bytes: int = Field(default=64_000_000, ge=0)
    """What remembered answers may take of memory; 0 remembers none."""

    head_limit_s: float = Field(default=10.0, gt=0.0)
    body_limit_s: float = Field(default=30.0, gt=0.0)
    """How long a client may take to send request line and headers, and then a picture."""

    keep_alive_s: int = Field(default=75, ge=1)
    """How long a connection without request stays open: longer than the proxies before us keep theirs."""

    connections: int = Field(default=16_000, ge=1)
    """How many connections may be open, idle ones included; the number of open files may allow fewer."""

    lame_duck_s: float = Field(default=0.0, ge=0.0, le=300.0)
    """How long new requests are still answered after SIGTERM, while ``/readyz`` says no and every reply closes its
    connection: so long as whoever sends them here may take to notice. Alone on its address a gateway needs none."""

    drain_limit_s: float = Field(default=30.0, ge=0.0)
    """How long requests in flight may take to finish after SIGTERM and ``lame_duck_s``."""

    access_log: str = "-"
    """The file of the access log; ``-`` is the standard output, an empty text none."""

    traces_endpoint: str | None = None
    """Where spans are sent, from OTEL_EXPORTER_OTLP_ENDPOINT; None makes none."""

    @field_validator("cors_origins", "key_files", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Read a list as it stands in an environment variable."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("torchserve_url", "zero_shot_url")
    @classmethod
    def _are_addresses(cls, value: str | None) -> str | None:
        """Refuse what leads nowhere."""
        if value is not None:
            read_addresses(value)
        return value

    @model_validator(mode="after")
    def _keys_guard_public_addresses(self) -> Settings:
        """Refuse to let anybody in from outside without a key."""
        if self.keys_required is False and not self.is_loopback:
            raise ValueError(
                f"without API keys the gateway listens on loopback only, not on {self.host}; "
                f"leave {PREFIX}KEYS_REQUIRED away and make keys with scripts/keys, or listen on 127.0.0.1"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the gateway."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def needs_keys(self) -> bool:
        """Whether every request needs an API key."""
        return not self.is_loopback if self.keys_required is None else self.keys_required

    @property
    def picture_limits(self) -> ImageLimits:
        """How large a picture may be."""
        return ImageLimits(self.max_picture_bytes, self.max_picture_pixels, self.max_picture_frames)

    @property
    def key_store(self) -> Path:
        """The file of the API keys."""
        return self.home / KEY_FILE


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raise SettingError for an unknown name or a wrong value.

    An empty value leaves the default, but for the access log.
    """
    given = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
    values: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in given.items()}
    values.setdefault("traces_endpoint", environment.get(TRACES_VARIABLE) or None)
    values.setdefault("access_log", environment.get(f"{PREFIX}ACCESS_LOG", "-"))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingError(f"{PREFIX}…: {explain(error)}") from None
