"""docker-compose.yml as Docker reads it: anchors followed, variables at their defaults.

Owns the reading; what must stand in it is the tests' business.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.conftest import ROOT

COMPOSE_FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def read_compose() -> dict[str, Any]:
    text = _VARIABLE.sub(lambda found: found.group(2), COMPOSE_FILE.read_text())
    assert "$" not in text, "every variable needs a default, so that it starts without any"
    return dict(yaml.safe_load(text))


def service(name: str) -> dict[str, Any]:
    return dict(read_compose()["services"][name])
