"""Prometheus with the project's own files, hurried where a test cannot wait: writing them, and running it on them."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from server.configuration import free_ports
from tests.conftest import ROOT
from tests.deploy.prometheus_tools import tools

MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "fishgate.json"

SHORTER = {  # durations of rules and dashboard → what a test can wait for
    "7d": "120s",
    "1d": "6s",
    "2h": "4s",
    "1h": "4s",
    "30m": "2s",
    "20m": "25s",
    "15m": "20s",
    "5m": "2s",
    "2m": "1s",
}
FEWER = {">= 200": ">= 20", ">= 1000": ">= 40", ">= 30": ">= 5"}
"""Numbers of pictures without which nothing is said of drift."""

SOONER = {"zero_shot_queue:p95_5m > 5": "zero_shot_queue:p95_5m > 0.5"}
"""A wait in seconds, where zero-shot gets but two for its answer."""


def promtool(*arguments: str | Path, folder: Path = MONITORING) -> subprocess.CompletedProcess[str]:
    """Run promtool in the folder of the monitoring's files."""
    command = [tools().promtool, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def shorter(text: str) -> str:
    """Return rules or an expression with all durations shortened and all least numbers lowered."""
    pattern = r"(\[|offset |for: |interval: )(\d+[smhd])\b"
    for much, little in (FEWER | SOONER).items():
        text = text.replace(much, little)
    return re.sub(pattern, lambda match: match[1] + _short(match[1], match[2]), text)


def _short(before: str, duration: str) -> str:
    return "500ms" if before.startswith(("for", "interval")) else SHORTER[duration]


@dataclass(frozen=True)
class Expression:
    """One expression of the dashboard or of the rules, and where it stands."""

    where: str
    text: str


def expressions() -> list[Expression]:
    """Return every expression of dashboard and rules, as it stands there."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    shown = [
        Expression(f"{panel['title']}, {target['refId']}", target["expr"])
        for panel in panels
        for target in panel.get("targets", ())
    ]
    rules = [rule for path in sorted((MONITORING / "rules").glob("*.yml")) for rule in rules_of(path)]
    return shown + [Expression(rule.get("record") or rule["alert"], rule["expr"]) for rule in rules]


def rules_of(path: Path) -> list[dict[str, Any]]:
    """Return the rules of a file."""
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def write_configuration(folder: Path, *, gateway: str, torchserve: str, is_short: bool) -> Path:
    """Write the project's own files with these addresses, hurried if wished; return the configuration's path."""
    shutil.copytree(MONITORING, folder, dirs_exist_ok=True)
    (folder / "secrets" / "metrics_key").touch()
    (folder / "targets" / "gateway.yml").write_text(f'- targets: ["{gateway}"]\n')
    (folder / "targets" / "torchserve.yml").write_text(f'- targets: ["{torchserve}"]\n')
    path = folder / "prometheus.yml"
    if is_short:
        path.write_text(path.read_text().replace(": 15s", ": 250ms"))
        for rules in (folder / "rules").glob("*.yml"):
            rules.write_text(shorter(rules.read_text()))
    return path


class Prometheus:
    """A running Prometheus, asked over its API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series; raises AssertionError if the expression is refused."""
        reply = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert reply["status"] == "success", (expression, reply)
        if reply["data"]["resultType"] == "scalar":
            return [({}, float(reply["data"]["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in reply["data"]["result"]]

    def value(self, expression: str) -> float:
        """Return the only value of an expression; NaN if there is none yet."""
        found = self.query(expression)
        return found[0][1] if len(found) == 1 else math.nan

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        alerts = requests.get(f"{self.url}/api/v1/alerts", timeout=30).json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def targets(self) -> dict[str, tuple[str, str]]:
        """Return health and last error of each job's target."""
        active = requests.get(f"{self.url}/api/v1/targets", timeout=30).json()["data"]["activeTargets"]
        return {one["labels"]["job"]: (one["health"], one["lastError"]) for one in active}

    def until(self, is_so: Callable[[], bool], what: str, *, limit_s: float = 60.0) -> None:
        """Wait until something is so; fail, saying what was waited for, if it never is."""
        until_s = time.monotonic() + limit_s
        while not is_so():
            assert time.monotonic() < until_s, f"not so: {what}; firing: {self.firing()}, targets: {self.targets()}"
            time.sleep(0.1)


@contextmanager
def running_prometheus(configuration: Path, home: Path) -> Iterator[Prometheus]:
    """Run Prometheus as long as the block takes."""
    port = free_ports().gateway
    command = [
        tools().prometheus,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={home}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (configuration.parent / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        _wait_until_ready(prometheus, process, configuration.parent / "prometheus.log")
        yield prometheus
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(prometheus: Prometheus, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + 60.0
    while process.poll() is None and time.monotonic() < until_s:
        try:
            if requests.get(f"{prometheus.url}/-/ready", timeout=5).ok:
                return
        except requests.RequestException:
            pass  # not up yet
        time.sleep(0.05)
    raise AssertionError(f"Prometheus does not run:\n{log.read_text()[-2000:]}")
