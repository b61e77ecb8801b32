"""The rules as they are: accepted by the real promtool, tried on made-up series, and each alert explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.metrics import Metrics
from tests.conftest import ROOT
from tests.deploy.prometheus_parts import (
    MONITORING,
    SHORTER,
    Expression,
    expressions,
    promtool,
    rules_of,
    shorter,
    write_configuration,
)

RULES = sorted((MONITORING / "rules").glob("*.yml"))
RULE_TESTS = sorted((MONITORING / "tests").glob("*.yml"))
ALERTS = [rule for path in RULES for rule in rules_of(path) if "alert" in rule]
NAMES = {
    "FishgateConfidenceShifted",
    "FishgateDeferralRateDrifting",
    "FishgateDisagreementHigh",
    "FishgateDown",
    "FishgateErrorShareHigh",
    "FishgateJavaThreadsClimbing",
    "FishgateLatencyHigh",
    "FishgateNoSecondOpinion",
    "FishgateSaturated",
    "FishgateWorkersRestarting",
    "FishgateZeroShotAway",
    "FishgateZeroShotQueueGrowing",
}
COUNTERS = re.compile(r"\b\w+_(?:total|count|sum|bucket|created)\b|\bRequests\dXX\b")
OVER_TIME = re.compile(r"\b(?:rate|increase)\(\s*(?P<series>\w+)(?:\{[^}]*\})?\[\w+\]")
DURATION = re.compile(r"(?:\[|offset )(\d+[smhd])")


def tried(name: str) -> list[dict[str, Any]]:
    """Return the trials of an alert in the files for ``promtool test rules``."""
    cases = [case for path in RULE_TESTS for case in yaml.safe_load(path.read_text())["tests"]]
    return [trial for case in cases for trial in case.get("promql_expr_test", ()) if name in trial["expr"]]


def bucket_ends() -> set[float]:
    """Return where the buckets of the gateway's durations end, in seconds."""
    metrics = Metrics()
    metrics.stage("check", 0.0)
    return {float(end) for end in re.findall(r'stage_seconds_bucket{le="([\d.]+)"', metrics.text().decode())}


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_accepts_the_rules(path: Path) -> None:
    done = promtool("check", "rules", path)
    assert done.returncode == 0, done.stderr
    assert f"{len(rules_of(path))} rules found" in done.stdout


@pytest.mark.parametrize("is_short", [False, True], ids=["as it is", "hurried for tests"])
def test_promtool_accepts_the_configuration(tmp_path: Path, is_short: bool) -> None:
    path = write_configuration(tmp_path, gateway="a:1", torchserve="b:2", is_short=is_short)
    done = promtool("check", "config", path)
    assert done.returncode == 0, done.stderr
    assert "2 rule files found" in done.stdout


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.name)
def test_rules_do_what_is_expected_of_them(path: Path) -> None:
    done = promtool("test", "rules", path.name, folder=path.parent)
    assert done.returncode == 0, done.stderr + done.stdout


def test_promtool_would_find_a_rule_that_does_not(tmp_path: Path) -> None:
    write_configuration(tmp_path, gateway="a:1", torchserve="b:2", is_short=False)
    alerts = tmp_path / "rules" / "alerts.yml"
    alerts.write_text(alerts.read_text().replace("count15m >= 3", "count15m >= 4"))
    done = promtool("test", "rules", "torchserve.yml", folder=tmp_path / "tests")
    assert done.returncode != 0
    assert "FishgateWorkersRestarting" in done.stderr + done.stdout


@pytest.mark.parametrize("name", ["FishgateLatencyHigh", "FishgateZeroShotQueueGrowing"])
def test_the_limit_of_a_wait_is_where_one_bucket_ends_and_another_begins(name: str) -> None:
    (rule,) = [rule for rule in ALERTS if rule["alert"] == name]
    limits = {float(limit) for limit in re.findall(r"> ([\d.]+)", rule["expr"])}
    assert limits
    assert limits <= bucket_ends()


def test_there_is_an_alert_for_each_trouble() -> None:
    assert {rule["alert"] for rule in ALERTS} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_alert_is_tried_with_its_trouble_and_without(name: str) -> None:
    assert {bool(trial["exp_samples"]) for trial in tried(name)} == {True, False}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: "-".join([rule["alert"], *sorted(rule["labels"].values())]))
def test_each_alert_says_what_it_saw_and_where_to_read_on(rule: dict[str, Any]) -> None:
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook"}
    document, _, anchor = annotations["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / document).read_text(), re.MULTILINE)
    assert (document, anchor) == ("docs/operations.md", rule["alert"].lower())
    assert rule["alert"] in headings
    assert "{{" in annotations["summary"], "the summary shows a value or a name"
    assert rule["labels"]["severity"] in ("critical", "warning", "information")


@pytest.mark.parametrize("expression", expressions(), ids=lambda one: one.where)
def test_counters_are_read_as_rates_only(expression: Expression) -> None:
    read_over_time = OVER_TIME.sub("", expression.text)
    assert COUNTERS.findall(read_over_time) == []


@pytest.mark.parametrize("expression", expressions(), ids=lambda one: one.where)
def test_every_duration_can_be_hurried(expression: Expression) -> None:
    durations = re.findall(DURATION, expression.text)
    assert set(durations) <= set(SHORTER)
    assert len(re.findall(DURATION, shorter(expression.text))) == len(durations)
