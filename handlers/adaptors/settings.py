"""The worker settings under ``fishgate:`` in an archive's model-config.yaml.

Owns their names, defaults and reasons. An unknown one stops the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from fishgate.errors import SettingError
from fishgate.packet import MAX_PICTURES
from fishgate.record import Record, explain

SettingsT = TypeVar("SettingsT", bound="WorkerSettings")


class WorkerSettings(Record):
    """Settings of any worker."""

    share_cores_with: int = Field(default=1, ge=1)
    """How many models share this machine's cores. Each takes its part, and its workers, however many
    they are at the time, divide that among them."""

    least_ms: float = Field(default=5.0, ge=0.0)
    """The least time before a reply to the workflow. TorchServe's workflow executor loses a reply that
    comes before it has written down whom to give it to."""


class ModelSettings(WorkerSettings):
    """Settings of a worker that looks at pictures."""

    pictures_at_once: int = Field(default=8, ge=1, le=MAX_PICTURES)
    """How many pictures of packets go through the network in one pass. A batch of single requests
    always goes in one, for TorchServe's own settings say how large it may be."""


class RouterSettings(WorkerSettings):
    """Settings of the router."""

    zero_shot_limit_s: float = Field(default=20.0, gt=0.0)
    """How long zero-shot may take before the expert's answer stands in."""

    zero_shot_in_flight: int = Field(default=64, ge=1)
    """How many pictures may wait for zero-shot; beyond, the expert's answer stands in at once."""


def read_settings(config: Mapping[str, Any] | None, kind: type[SettingsT]) -> SettingsT:
    """Read the ``fishgate:`` part of a model-config.yaml; raise SettingError if it is wrong."""
    own = (config or {}).get("fishgate") or {}
    try:
        return kind.model_validate(own)
    except ValidationError as error:
        allowed = ", ".join(sorted(kind.model_fields))
        raise SettingError(f"model-config.yaml, fishgate: {explain(error)}; allowed keys: {allowed}") from None
