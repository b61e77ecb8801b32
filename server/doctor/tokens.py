"""Who may come in: TorchServe's tokens, which expire, and the gateway's API keys, which do not."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from server import instance
from server.configuration import LOOPBACK, Settings
from server.doctor.finding import Finding, broken, good, warning

KEY_STORE = "api_keys.json"
MOUNTED_KEYS = "FISHGATE_GATEWAY_KEY_FILES"
"""The gateway's setting that names files with a key each, commas between them."""

SOON = timedelta(days=14)
_ANEW = "run scripts/stop, then scripts/serve: each start makes new ones"


def check_tokens(settings: Settings) -> Iterator[Finding]:
    """Find tokens of TorchServe that are missing, expired or about to, or that others can read."""
    if not settings.has_tokens:
        yield warning("tokens", "TorchServe lets in everybody who reaches it", "see to it that only gateways do")
    elif not settings.key_file.exists():
        yield from _missing(settings)
    else:
        yield from _kept(settings.key_file)


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Find a file of API keys that cannot be read, or a public gateway without any key."""
    path = settings.home / KEY_STORE
    try:
        names = [str(key["name"]) for key in json.loads(path.read_bytes())["keys"]] if path.exists() else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        advice = f"restore it, or remove it and make new keys with scripts/keys add NAME --home {settings.home}"
        yield broken("keys", f"{path} cannot be read ({type(error).__name__}): nobody gets in", advice)
        return
    mounted = [Path(part.strip()) for part in os.environ.get(MOUNTED_KEYS, "").split(",") if part.strip()]
    for file in mounted:
        if not os.access(file, os.R_OK):
            seen = f"{file} of ${MOUNTED_KEYS} cannot be read, and no gateway starts without it"
            yield broken("keys", seen, "write a key into it, or take it out of the variable, and run scripts/serve")
    names += [file.name for file in mounted]
    if settings.host != LOOPBACK and not names:
        seen = f"the gateway listens on {settings.host}, where every request needs a key, and there is none"
        yield warning("keys", seen, "make one with scripts/keys add NAME")
    else:
        yield good("keys", f"{len(names)} API keys: {', '.join(names)}" if names else "none, and none is needed here")


def _missing(settings: Settings) -> Iterator[Finding]:
    if instance.running(settings) is None:
        yield good("tokens", "none; TorchServe makes them when it starts")
    else:
        yield broken("tokens", f"TorchServe runs, and its {settings.key_file} is gone", _ANEW)


def _kept(path: Path) -> Iterator[Finding]:
    try:
        ends = {kind: _end(json.loads(path.read_bytes())[kind]) for kind in ("inference", "management")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield broken("tokens", f"{path} cannot be read ({type(error).__name__})", _ANEW)
        return
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield warning("tokens", f"{path} can be read by other users of this machine", f"chmod 600 {path}")
    kind, end = min(ends.items(), key=lambda item: item[1])
    left = end - datetime.now(timezone.utc)
    if left < timedelta():
        yield broken("tokens", f"the {kind} token expired on {end:%Y-%m-%d %H:%M} UTC", _ANEW)
    elif left < SOON:
        yield warning("tokens", f"the {kind} token expires on {end:%Y-%m-%d %H:%M} UTC", _ANEW)
    else:
        yield good("tokens", f"good until {end:%Y-%m-%d}")


def _end(token: dict[str, Any]) -> datetime:
    """Read TorchServe's time, such as 2027-11-21T12:30:56.786982863Z, down to the second."""
    return datetime.strptime(token["expiration time"][:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
