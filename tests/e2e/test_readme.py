"""The README's request brings the README's answer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from server.bootstrap import ROOT
from tests.e2e.test_workflow import rounded

CONSOLE = re.compile(r"```console\n\$ (curl .*?)\n(\{.*?\})\n```", re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_request_brings_the_documented_answer(gateway: str) -> None:
    found = CONSOLE.search((ROOT / "README.md").read_text())
    assert found, "the README shows no request with its answer"
    command, answer = found.groups()
    command = command.replace("http://127.0.0.1:8000", gateway)
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert rounded(json.loads(done.stdout)) == rounded(json.loads(answer))
