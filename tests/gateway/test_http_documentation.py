"""The description of the API: complete, with true examples, and readable without anything from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fishgate.errors import SettingError
from gateway.http.accounting import ROUTES
from gateway.http.examples import FOLDER, SHOWN, read_examples
from gateway.http.openapi_replies import BatchLine
from tests.conftest import ROOT
from tests.gateway.conftest import OpenDoor
from tests.gateway.http_door import Door


@pytest.fixture(scope="module")
def description(door: Door) -> dict[str, Any]:
    told: dict[str, Any] = door.get("/openapi.json").json()
    return told


def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: one for path, methods in description["paths"].items() for one in methods.values()}


def test_every_address_is_described_and_counted(description: dict[str, Any]) -> None:
    assert set(description["paths"]) == ROUTES - {"/", "/docs", "/openapi.json"}


def test_every_example_is_valid(description: dict[str, Any]) -> None:
    checked = 0
    for one in operations(description).values():
        for reply in one["responses"].values():
            content = reply.get("content", {}).get("application/json", {})
            for example in content.get("examples", {}).values():
                jsonschema.validate(example["value"], {**content["schema"], "components": description["components"]})
                checked += 1
    assert checked > 20


def test_the_lines_of_a_batch_are_valid(description: dict[str, Any]) -> None:
    told = operations(description)["/v1/identify/batch"]["responses"]["200"]["content"]["application/x-ndjson"]
    lines = told["examples"]["lines"]["value"].splitlines()
    assert [BatchLine.model_validate_json(line).index for line in lines] == [0, 1]


def test_the_examples_are_those_that_a_test_sends_to_a_server(description: dict[str, Any]) -> None:
    shown = operations(description)["/v1/identify"]["responses"]["200"]["content"]["application/json"]["examples"]
    for name in SHOWN:
        assert (
            shown[name]["value"]
            == json.loads((ROOT / "docs" / "api" / "examples" / f"{name}.json").read_text())["reply"]
        )
    assert FOLDER == ROOT / "docs" / "api" / "examples"


def test_without_its_examples_the_gateway_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="docs/api/examples"):
        read_examples(tmp_path)


def test_keys_are_told_of_only_where_they_are_needed(opened: OpenDoor, description: dict[str, Any]) -> None:
    assert "securitySchemes" not in description["components"]
    told = opened(keys_required=True).get("/openapi.json").json()
    needing = {path for path, one in operations(told).items() if "security" in one}
    assert needing == {path for path in ROUTES if path.startswith("/v1/")} | {"/metrics"}
    assert set(told["components"]["securitySchemes"]) == {"bearer", "header"}


def test_species_lists_are_offered_by_name(opened: OpenDoor, tmp_path: Path, description: dict[str, Any]) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "lakes.csv").write_text("label\nPike\n")
    told = opened(species_lists=folder).get("/openapi.json").json()

    def offered(one: dict[str, Any]) -> list[str]:
        schemas = [each["schema"] for each in one.get("parameters", []) if "list" in each["name"]]
        return [name for schema in schemas for name in schema["enum"]]

    assert {path: offered(one) for path, one in operations(told).items() if offered(one)} == {
        "/v1/identify": ["lakes"],
        "/v1/identify/batch": ["lakes"],
        "/v1/species": ["lakes"],
    }
    assert not any(offered(one) for one in operations(description).values())


def test_the_page_names_every_address_with_a_command(door: Door, description: dict[str, Any]) -> None:
    reply = door.get("/docs")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    for path in description["paths"]:
        assert f"<code>{path}</code>" in reply.text
        assert re.search(rf'class="command">curl [^<]*{re.escape(door.url + path)}</code>', reply.text)


def test_the_page_says_what_is_allowed(door: Door) -> None:
    text = door.get("/docs").text
    for words in ("1 to 50, 5 if absent", "0 to 1", "1 to 100 different names", "1 to 999,999,999"):
        assert f"<td>{words}</td>" in text


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing(door: Door) -> None:
    reply = door.get("/docs")
    assert "<script" not in reply.text
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', reply.text) == ["page/icon.svg", "openapi.json", "./"]
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "unsafe" not in reply.headers["content-security-policy"]


def test_the_style_of_the_page_is_the_one_that_its_policy_allows(door: Door) -> None:
    import base64
    import hashlib

    reply = door.get("/docs")
    (style,) = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in reply.headers["content-security-policy"]


def test_what_a_client_says_of_the_host_cannot_break_the_page(door: Door) -> None:
    reply = door.get("/docs", headers={"Host": 'x"><script>alert(1)</script>'})
    assert "<script" not in reply.text
