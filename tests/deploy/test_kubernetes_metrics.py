"""What Prometheus gets of the cluster: both jobs under the names that rules ask for, its key, and the rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.kustomizing import Object
from tests.deploy.manifests import KUBERNETES, WITH_ALL, Workload, named, of_kind, selects, workloads
from tests.deploy.policies import PROMETHEUS, may_enter

MONITORING = ROOT / "deploy" / "monitoring"
SCRIPT = KUBERNETES / "write_rules"
WRITTEN = KUBERNETES / "components" / "prometheus-operator" / "rules.yaml"
JOBS: list[dict[str, Any]] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
NAMES = [job["job_name"] for job in JOBS]


def watched(variant: str, monitor: Object) -> list[Workload]:
    return [one for one in workloads(variant) if selects(monitor["spec"]["selector"], one.labels)]


@pytest.mark.parametrize("variant", WITH_ALL)
def test_each_pod_is_watched_once_at_a_port_that_prometheus_reaches(variant: str) -> None:
    monitors = of_kind(variant, "PodMonitor")
    assert sorted(one.name for monitor in monitors for one in watched(variant, monitor)) == sorted(
        one.name for one in workloads(variant)
    )
    for monitor in monitors:
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        for one in watched(variant, monitor):
            port = one.ports[endpoint["port"]]
            assert may_enter(variant, one, PROMETHEUS, "monitoring", port)
            assert not may_enter(variant, one, PROMETHEUS, "somewhere", port)


@pytest.mark.parametrize("variant", WITH_ALL)
@pytest.mark.parametrize("job", JOBS, ids=NAMES)
def test_a_job_is_that_of_the_scrape_configuration(job: dict[str, Any], variant: str) -> None:
    """FishgateDown asks for ``up{job="fishgate-gateway"}``; the operator's own names are others."""
    [endpoint] = named(variant, "PodMonitor", job["job_name"])["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job["job_name"]}]
    assert endpoint["path"] == job["metrics_path"]
    assert ("authorization" in endpoint) == ("authorization" in job)
    if "authorization" in job:
        assert endpoint["authorization"]["type"] == job["authorization"]["type"] == "Bearer"
        assert endpoint["authorization"]["credentials"]["key"] == Path(job["authorization"]["credentials_file"]).name


def test_there_are_no_other_jobs() -> None:
    assert [one["metadata"]["name"] for one in of_kind(WITH_ALL[0], "PodMonitor")] == NAMES


def test_the_rules_are_those_of_the_monitoring() -> None:
    files = sorted((MONITORING / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    assert in_one_line(named(WITH_ALL[0], "PrometheusRule", "fishgate")["spec"]["groups"]) == in_one_line(groups)


def in_one_line(value: Any) -> Any:
    """The same with line breaks inside of expressions, which mean nothing, as blanks."""
    if isinstance(value, dict):
        return {name: in_one_line(member) for name, member in value.items()}
    if isinstance(value, list):
        return [in_one_line(member) for member in value]
    return " ".join(value.split()) if isinstance(value, str) else value


def test_the_rules_are_as_the_script_writes_them(tmp_path: Path) -> None:
    done = write_rules("--target", str(tmp_path / "rules.yaml"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rules.yaml").read_text() == WRITTEN.read_text(), "run deploy/kubernetes/write_rules"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: []\n", "rules.yml is not understood: wanted are remarks, a line 'groups:'"),
        ("x: 1\ngroups:\n  - name: a\n", "is not understood"),
        (None, "there is no *.yml in"),
    ],
    ids=["no groups", "something else before them", "no file"],
)
def test_rules_that_the_script_would_spoil_are_refused(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "rules.yml").write_text(text)
    done = write_rules("--rules", str(tmp_path), "--target", str(tmp_path / "written"))
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "written").exists()


def write_rules(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)
