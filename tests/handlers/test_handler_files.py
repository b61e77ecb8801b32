"""Rules that every handler file keeps, and metrics that are declared as they are reported."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from fishgate.telemetry import Metric
from tests.conftest import ROOT

HANDLERS = sorted((ROOT / "handlers").glob("*_handler.py"))
SOURCES = [*sorted((ROOT / "fishgate").glob("*.py")), *sorted((ROOT / "handlers").rglob("*.py"))]
KINDS = {"count": "counter", "observe": "histogram", "show": "gauge"}
MAX_LINES = 120

Declared = dict[str, tuple[str, list[str]]]


def declared_metrics() -> Declared:
    """Name → kind and labels, as ``metrics.yaml`` has them."""
    sections = yaml.safe_load((ROOT / "metrics.yaml").read_text())["model_metrics"]
    return {entry["name"]: (kind, entry["dimensions"]) for kind, entries in sections.items() for entry in entries}


def reported_metrics() -> list[tuple[str, str, list[str]]]:
    """Name, kind and labels of every call ``….count(Metric.X, …)``, ``….observe(…)`` or ``….show(…)``."""
    calls = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return [
        (
            Metric[call.args[0].attr].value,
            KINDS[call.func.attr],
            [word.arg for word in call.keywords if word.arg and word.arg not in ("amount", "value")],
        )
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in KINDS and call.args
        if isinstance(call.args[0], ast.Attribute) and ast.unparse(call.args[0]).startswith("Metric.")
    ]


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_handler_file_defines_exactly_one_class_that_torchserve_can_use(path: Path) -> None:
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    assert len(classes) == 1
    methods = {node.name for node in classes[0].body if isinstance(node, ast.FunctionDef)}
    assert {"initialize", "handle"} <= methods


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.stem)
def test_a_handler_file_stays_thin(path: Path) -> None:
    assert len(path.read_text().splitlines()) < MAX_LINES


def test_there_is_a_handler_for_each_model() -> None:
    assert [path.stem for path in HANDLERS] == ["expert_handler", "router_handler", "zero_shot_handler"]


@pytest.mark.parametrize(("name", "kind", "labels"), reported_metrics(), ids=lambda value: str(value))
def test_a_reported_metric_is_declared_with_its_labels_in_order(name: str, kind: str, labels: list[str]) -> None:
    assert declared_metrics()[name] == (kind, labels)


def test_every_metric_is_reported_somewhere() -> None:
    assert {name for name, _, _ in reported_metrics()} == {metric.value for metric in Metric}


def test_every_metric_of_ours_that_is_declared_exists() -> None:
    ours = {name for name in declared_metrics() if name.startswith("fishgate_")}
    assert ours == {metric.value for metric in Metric}
