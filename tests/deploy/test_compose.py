"""docker-compose.yml: valid by the schema; one door for others, volumes as all that can be written, limits, secrets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy import image
from tests.deploy.compose import COMPOSE_FILE, read_compose, service

MONITORING = ROOT / "deploy" / "monitoring"
FISHGATES = ("fishgate", "fishgate-gpu")
SERVICES = tuple(read_compose()["services"])


def targets(name: str) -> dict[str, str]:
    """Where a service has what: folder or volume, by the path inside; read-only marks left away."""
    mounts = [mount.split(":") for mount in service(name)["volumes"]]
    return {mount[1]: mount[0] for mount in mounts}


def test_it_is_valid_by_the_schema_of_compose() -> None:
    command = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_docker_compose_understands_it(profile: str) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not on this machine")
    command = [docker, "compose", "--file", str(COMPOSE_FILE), "--profile", profile, "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("profile", "started"),
    [("cpu", {"fishgate", "prometheus", "grafana"}), ("gpu", {"fishgate-gpu", "prometheus", "grafana"})],
)
def test_a_profile_starts_one_fishgate_with_its_monitoring(profile: str, started: set[str]) -> None:
    assert {name for name in SERVICES if profile in service(name)["profiles"]} == started


def test_published_are_the_gateway_and_on_this_machine_alone_grafana_and_prometheus() -> None:
    published = {name: service(name)["ports"] for name in SERVICES if "ports" in service(name)}
    door = ["127.0.0.1:8000:8000", "127.0.0.1:7080:7080"]
    assert published == {
        "fishgate": door,
        "fishgate-gpu": door,
        "grafana": ["127.0.0.1:3000:3000"],
        "prometheus": ["127.0.0.1:9090:9090"],
    }


@pytest.mark.parametrize("name", ["grafana", "prometheus"])
def test_no_variable_publishes_the_monitoring_to_others(name: str) -> None:
    told = yaml.safe_load(COMPOSE_FILE.read_text())["services"][name]["ports"]
    assert [port.rpartition(":")[0].rpartition(":")[0] for port in told] == ["127.0.0.1"]


def test_none_of_torchserves_ports_is_published() -> None:
    inside = {port.split(":")[-1] for name in SERVICES for port in service(name).get("ports", [])}
    assert inside.isdisjoint({"8080", "8081", "8082", "7070", "7071"})


def test_metrics_travel_on_a_network_that_leads_nowhere_else() -> None:
    assert read_compose()["networks"]["metrics"] == {"internal": True}
    assert {name for name in SERVICES if "metrics" in service(name).get("networks", [])} == {
        *FISHGATES,
        "prometheus",
        "grafana",
    }


def test_prometheus_reaches_an_alertmanager_and_is_reached_from_this_machine() -> None:
    networks = read_compose()["networks"]
    leading_out = [name for name in service("prometheus")["networks"] if not (networks[name] or {}).get("internal")]
    assert leading_out == ["alerts"], "an internal network publishes no port, and no alert leaves it"
    assert {name for name in SERVICES if "alerts" in service(name)["networks"]} == {"prometheus"}


def test_alertmanagers_are_looked_for_in_a_folder_that_is_there() -> None:
    configured = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["alerting"]["alertmanagers"]
    [pattern] = [file for told in configured for found in told["file_sd_configs"] for file in found["files"]]
    folder = MONITORING / Path(pattern).parent
    assert targets("prometheus")[f"/etc/prometheus/{Path(pattern).parent}"] == f"./{folder.relative_to(ROOT)}"
    assert (folder / "README.md").is_file(), "an empty folder is not kept by git, and Docker would make one of root's"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened_and_limited(name: str) -> None:
    told = service(name)
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in told
    assert set(told["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", FISHGATES)
def test_what_fishgate_writes_goes_into_a_volume(name: str) -> None:
    places = targets(name)
    environment = image.environment()
    for variable in ("FISHGATE_HOME", "FISHGATE_STORE"):
        folder = Path(environment[variable])
        assert any(folder.is_relative_to(target) for target in places), f"{variable} is on the read-only root"
    assert places[image.values("VOLUME")[0]] == "state"


@pytest.mark.parametrize("name", FISHGATES)
def test_packs_and_lists_are_mounted_where_the_program_looks(name: str) -> None:
    workdir = image.values("WORKDIR")[0]
    assert set(targets(name)) >= {
        f"{workdir}/species_lists",
        f"{workdir}/models/expert/hub",
        f"{workdir}/models/zero_shot/hub",
    }
    shared = {volume for target, volume in targets(name).items() if target.endswith("/hub")}
    assert shared == {volume for target, volume in targets("fetch").items() if target.endswith("/hub")}


@pytest.mark.parametrize("name", FISHGATES)
def test_the_command_is_the_one_that_the_image_has(name: str) -> None:
    told = service(name)["command"]
    assert told[:3] == image.command()[:3] == ["python", "scripts/serve", "--foreground"]
    assert f"--device={'gpu' if name.endswith('gpu') else 'cpu'}" in told


def test_fetching_runs_the_image_that_is_built_here() -> None:
    """Without the same build, Docker looks for an image of that name elsewhere."""
    for key in ("image", "build"):
        assert service("fetch")[key] == service("fishgate")[key]
    assert service("fetch")["command"] == ["python", "scripts/fetch_models"]


def test_only_the_gpu_profile_asks_for_a_gpu() -> None:
    asking = {name for name in SERVICES if "reservations" in service(name)["deploy"]["resources"]}
    assert asking == {"fishgate-gpu"}


def test_there_is_time_to_finish_what_was_begun() -> None:
    from gateway.settings import Settings

    grace_s = int(service("fishgate")["stop_grace_period"].removesuffix("s"))
    torchserve_s = 40  # server.instance.stop: 30 to end, 10 after being killed
    settings = Settings()
    assert grace_s > settings.lame_duck_s + settings.drain_limit_s + torchserve_s


def test_no_secret_stands_in_the_file_and_all_are_made_by_the_script(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "container" / "make_secrets"
    for _ in range(2):  # the second time it leaves all as it is
        subprocess.run([sys.executable, str(script), "--folder", str(tmp_path / "secrets")], check=True)
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    named = {name: Path(told["file"]) for name, told in read_compose()["secrets"].items()}
    assert set(made) == set(named)
    assert {path.parent for path in named.values()} == {Path("deploy/container/secrets")}
    assert len({path.read_text() for path in made.values()}) == len(made)
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o644}


def test_the_gateway_takes_the_secrets_for_keys(tmp_path: Path) -> None:
    from gateway.secret_keys import secret_keys

    script = ROOT / "deploy" / "container" / "make_secrets"
    subprocess.run([sys.executable, str(script), "--folder", str(tmp_path)], check=True)
    given = [Path(part) for part in service("fishgate")["environment"]["FISHGATE_GATEWAY_KEY_FILES"].split(",")]
    assert {path.parent for path in given} == {Path("/run/secrets")}
    assert {path.name for path in given} == set(service("fishgate")["secrets"])
    assert [key.name for key in secret_keys(tmp_path / path.name for path in given)] == [path.name for path in given]


def prometheus_jobs() -> list[dict[str, Any]]:
    return list(yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"])


def test_prometheus_finds_its_files_its_targets_and_its_key() -> None:
    places = targets("prometheus")
    for target, source in places.items():
        if source.startswith("./"):
            assert (ROOT / source).exists(), f"{target} has nothing behind it"
    [key] = [job["authorization"]["credentials_file"] for job in prometheus_jobs() if "authorization" in job]
    assert service("prometheus")["secrets"] == [{"source": "metrics_key", "target": f"/etc/prometheus/{key}"}]
    listed = [yaml.safe_load(path.read_text()) for path in sorted((MONITORING / "targets").glob("*.yml"))]
    scraped = {target for groups in listed for group in groups for target in group["targets"]}
    assert scraped == {"fishgate:8000", "fishgate:8082"}
    for name in FISHGATES:
        assert service(name)["networks"]["metrics"] == {"aliases": ["fishgate"]}


def test_grafana_has_its_dashboard_and_finds_prometheus() -> None:
    places = targets("grafana")
    provisioning = ROOT / places["/etc/grafana/provisioning"]
    [provider] = yaml.safe_load(next((provisioning / "dashboards").glob("*.yml")).read_text())["providers"]
    dashboards = ROOT / places[provider["options"]["path"]]
    assert [json.loads(path.read_text())["title"] for path in dashboards.glob("*.json")]
    [source] = yaml.safe_load(next((provisioning / "datasources").glob("*.yml")).read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert set(service("grafana")["networks"]) & set(service("prometheus")["networks"])
