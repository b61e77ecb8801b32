"""What the documents say is true: scripts explain themselves, schemas are current, links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.settings import Settings
from server.bootstrap import ROOT

SCRIPTS = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())
DOCUMENTS = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "benchmarks" / "README.md"]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_explains_itself(script: Path) -> None:
    done = run(script, "--help")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert script.stat().st_mode & 0o111, "it cannot be executed"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_stands_in_a_document(script: Path) -> None:
    assert any(f"scripts/{script.name}" in document.read_text() for document in DOCUMENTS)


def test_schemas_are_those_of_the_records(tmp_path: Path) -> None:
    done = run(ROOT / "scripts" / "write_schemas", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in (ROOT / "docs" / "api").glob("*.schema.json")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_ci_runs_the_commands_of_the_readme() -> None:
    commands = (ROOT / ".ci" / "run").read_text().splitlines()
    for command in ("scripts/test", "scripts/check"):
        assert command in commands
        assert command in (ROOT / "README.md").read_text()


def test_lock_files_name_no_index_and_have_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==")


def test_settings_of_the_gateway_that_are_named_are_settings() -> None:
    described = [
        *DOCUMENTS,
        *sorted((ROOT / "deploy").rglob("*.y*ml")),
        ROOT / "docker-compose.yml",
        ROOT / "Dockerfile",
    ]
    named = {name for file in described for name in re.findall(r"FISHGATE_GATEWAY_([A-Z_]*[A-Z])", file.read_text())}
    assert len(named) > 5
    assert {name for name in named if name.lower() not in Settings.model_fields} == set()
