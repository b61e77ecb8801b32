"""The Dockerfile and .dockerignore: what the linter says, and what gets into an image and what does not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from packs.hub import RemoteFile, Snapshot
from packs.sources import SOURCES, Source
from packs.templates import read_template, unsealed_card
from server.archives import model_sources
from tests.conftest import ROOT
from tests.deploy import image

BUILD_TOOLS = ("gcc", "build-essential", "git", "curl", "wget", "make")
NEVER = (".git", ".venv", ".run", "model_store", "runs", "tests", "training", "benchmarks", "deploy", "secrets")


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert hadolint, "install requirements-dev.txt"
    done = subprocess.run([hadolint, str(image.DOCKERFILE)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_last_stage_installs_nothing() -> None:
    for told in image.values("RUN"):
        assert not re.search(r"\b(apt-get|apk|uv|npm)\b|pip install", told), told
        assert not [tool for tool in BUILD_TOOLS if re.search(rf"\b{tool}\b", told)], told
    assert any("pip uninstall" in told for told in image.values("RUN"))


def test_both_stages_have_the_same_python() -> None:
    # The environment of the first one links to it.
    assert len({stage[0].value.split(" AS ")[0] for stage in image.stages()}) == 1


def test_the_first_stage_installs_what_is_locked_by_the_projects_own_bootstrap() -> None:
    told = [line.value for line in image.stages()[0]]
    assert "python -m server.bootstrap" in told
    assert "requirements.txt ./" in told


def test_it_runs_as_a_user_of_its_own_given_by_number() -> None:
    [user] = image.values("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "only of a number can Kubernetes tell that it is not root"
    lines = [line.word for line in image.stages()[-1]]
    assert not {"RUN", "COPY", "ADD"} & set(lines[lines.index("USER") :]), "what is copied belongs to root"


def test_every_file_of_the_program_is_in_the_image() -> None:
    program = {
        str(path.relative_to(ROOT))
        for room in ("fishgate", "gateway", "handlers", "server", "packs")
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    demo = {
        str(path.relative_to(ROOT))
        for source in model_sources("demo", "cpu")
        if source.model
        for path in source.model.iterdir()
        if path.suffix in (".json", ".safetensors")
    }
    assert program | demo <= set(image.copied())


def test_nothing_else_is_sent_to_the_builder() -> None:
    sent = image.sent()
    assert not {path for path in sent if Path(path).parts[0] in NEVER}
    assert not {path for path in sent if "__pycache__" in path or "/hub/" in path}
    assert sent == set(image.copied()), "what is not copied need not be sent"


@pytest.mark.parametrize("name", ["secret.key", ".env", "photo.jpg", "samples/mine.jpg", "models/expert/hub/x"])
def test_a_stray_file_stays_outside(name: str, tmp_path: Path) -> None:
    from docker.utils.build import exclude_paths

    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("x")
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert name not in set(exclude_paths(str(tmp_path), patterns))


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_what_a_fetch_reads_is_in_the_image_and_no_volume_hides_it(source: Source, tmp_path: Path) -> None:
    image.unpack(tmp_path)
    models = tmp_path / "models"
    shutil.rmtree(models / source.name / "hub", ignore_errors=True)  # an empty volume lies there
    assert read_template(source, models) == read_template(source, ROOT / "models")
    published = RemoteFile(source.weights[0], None, None)
    card = unsealed_card(source, Snapshot(source.repository, "0" * 40, {}), published, models=models)
    assert (card.kind, card.version) == (source.kind, "hub-00000000")


def test_only_the_gateway_is_exposed_and_the_health_check_identifies() -> None:
    assert image.values("EXPOSE") == ["8000 7080"]
    assert image.values("STOPSIGNAL") == ["SIGTERM"]
    assert image.health_command()[-1].endswith("scripts/healthcheck")
