"""The tokens of a real TorchServe are in no log of it and no process list, and others may not read its files."""

from __future__ import annotations

import stat

import requests

from server.management import TorchServe
from tests.e2e.conftest import SAMPLE
from tests.secrets_search import files_that_show, processes_that_show


def test_tokens_are_in_no_log_and_no_process_list(demo: TorchServe, gateway: str) -> None:
    tokens = [demo.token(kind) for kind in ("inference", "management")]
    assert requests.post(f"{gateway}/v1/identify", data=SAMPLE, params={"threshold": "1"}, timeout=60).ok
    for token in tokens:  # each also where it is not valid, which is what a server would complain about
        headers = {"Authorization": f"Bearer {token}"}
        for url in (f"{demo.settings.url}/predictions/nothing", f"{demo.settings.management_url}/models/nothing"):
            assert requests.get(url, headers=headers, params={"token": token}, timeout=30).status_code >= 400
    home = demo.settings.home
    for token in tokens:
        assert processes_that_show(token) == []
        own = (demo.settings.key_file.name,)
        logs = [name for name in files_that_show(token, home, but=own) if not name.startswith("store")]
        assert logs == []


def test_the_file_of_tokens_is_readable_by_its_owner_only(demo: TorchServe) -> None:
    assert stat.S_IMODE(demo.settings.key_file.stat().st_mode) == 0o600
