"""The dashboard is one that Grafana can show: whole, without overlap, and fed by the data source that comes with it."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.prometheus_parts import DASHBOARD, MONITORING

PROVISIONING = MONITORING / "grafana" / "provisioning"
PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
WIDTH = 24


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """Return the cells of the grid that a panel covers."""
    place = panel["gridPos"]
    columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return set(itertools.product(columns, rows))


def test_panels_have_each_a_number_and_a_place_of_their_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    covered = [cell for panel in PANELS for cell in cells(panel)]
    assert len(covered) == len(set(covered)), "two panels overlap"
    assert all(0 <= column < WIDTH for column, _ in covered)


def test_panels_have_each_a_title_of_their_own() -> None:
    assert len({panel["title"] for panel in SHOWN}) == len(SHOWN)


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert len(panel["description"]) > 15
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])


def test_every_query_goes_to_the_source_that_is_provisioned() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    own = {"type": sources[0]["type"], "uid": sources[0]["uid"]}
    asked = [panel["datasource"] for panel in SHOWN]
    asked += [target["datasource"] for panel in SHOWN for target in panel["targets"]]
    assert all(source == own for source in asked)


def test_every_alert_is_told_of_in_a_panel() -> None:
    told = " ".join(panel["description"] for panel in SHOWN)
    rules = (MONITORING / "rules" / "alerts.yml").read_text()
    names = {line.split()[-1] for line in rules.splitlines() if "- alert:" in line}
    assert {name for name in names if name not in told} == set()


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_stands_in_the_document_as_it_says_of_itself(panel: dict[str, Any]) -> None:
    assert f"| {panel['title']} | {panel['description']} |" in (ROOT / "docs" / "monitoring.md").read_text()
