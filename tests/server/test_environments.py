"""What the processes that are started know of the shell that started them."""

from __future__ import annotations

from pathlib import Path

import pytest

from server import gateway_process, instance
from server.configuration import Settings


def test_code_in_archives_does_not_see_the_keys_of_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FISHGATE_KEY", "fg_of_a_client")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    settings = Settings(home=tmp_path)
    of_torchserve, of_gateway = instance.environment(settings), gateway_process.environment(settings)
    assert not {"FISHGATE_KEY", "OTEL_EXPORTER_OTLP_HEADERS"} & set(of_torchserve)
    assert "FISHGATE_KEY" not in of_gateway
    assert of_gateway["OTEL_EXPORTER_OTLP_HEADERS"] == "authorization=secret"
    assert of_torchserve["HTTP_PROXY"] == of_gateway["HTTP_PROXY"] == "http://proxy"
