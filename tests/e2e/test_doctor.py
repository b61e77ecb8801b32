"""What scripts/doctor says of a real server that is well."""

from __future__ import annotations

import json
import subprocess
import sys

from server.bootstrap import ROOT
from server.management import TorchServe


def test_a_server_that_is_well_is_called_so(demo: TorchServe, gateway: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "doctor"), "--json", "--home", str(demo.settings.home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode < 2, done.stdout + done.stderr
    findings = json.loads(done.stdout)["findings"]
    parts = {finding["part"]: finding for finding in findings}
    for part in ("ports", "tokens", "archives", "packs", "java", "torchserve", "gateway"):
        assert parts[part]["state"] == "good", parts[part]
    ready = [finding["seen"] for finding in findings if finding["part"] == "workers"]
    assert sorted(ready) == ["expert: 1 of 1 ready", "router: 1 of 1 ready", "zero_shot: 1 of 1 ready"]
