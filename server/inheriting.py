"""What of the shell's environment the code in archives gets to see: all but secrets.

Owns how a secret is known: by its name, or by a password in an address. A model needs none of them; what it is to
know, it is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_KEY|(^|_)KEY$|^OTEL_EXPORTER_OTLP_.*HEADERS$",
    re.IGNORECASE,
)
_PASSWORD_IN_ADDRESS = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_NO_SECRETS = {
    "FISHGATE_PUBLIC_KEY",  # where the key lies that everybody may know
    "TOKENIZERS_PARALLELISM",  # tokens of a text
}
_USELESS = {
    "PYTHONDONTWRITEBYTECODE",  # without compiled files a worker needs three times as long to come back after it died
}


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of an environment is passed on."""
    return {name: value for name, value in environment.items() if name not in _USELESS and not _is_secret(name, value)}


def _is_secret(name: str, value: str) -> bool:
    if _PASSWORD_IN_ADDRESS.search(value):
        return True
    return name not in _NO_SECRETS and _SECRET.search(name) is not None
