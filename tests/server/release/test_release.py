"""Releases of a small repository: what stands in their way, and what is in them."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from server.bootstrap import ROOT
from server.configuration import free_ports
from server.release.audit import Audit, read_report
from server.release.further_parts import model_parts
from server.release.parts import write_parts
from server.release.releasing import Wishes, audit_troubles, release
from server.release.versions import ReleaseError, package_version, version_troubles

HASH = hashlib.sha256(b"a wheel").hexdigest()
LOCK = f"pillow==1.0 \\\n    --hash=sha256:{HASH}\nnumpy==2.0 \\\n    --hash=sha256:{HASH}\n"
FLAW = {
    "id": "OSV-2026-1",
    "summary": "reads beyond the end",
    "affected": [
        {
            "package": {"name": "pillow", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


def make_repository(folder: Path) -> Path:
    """Make a repository that can be released."""
    files = {
        "pyproject.toml": '[project]\nname = "fishgate"\nversion = "1.2.3"\n',
        "client/fishgate_client/version.py": 'VERSION = "1.2.3"\n',
        "CHANGELOG.md": "# Changelog\n\n## 1.2.3 (2026-05-04)\n\n## 1.2.2 (unreleased)\n",
        "requirements.txt": LOCK,
        "scripts/check": "import sys\nsys.exit(0)\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of a test's own."""
    return make_repository(tmp_path / "repository")


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")


@pytest.fixture(scope="module")
def advisories() -> Iterator[str]:
    """The address of a small OSV service, which knows a flaw of pillow."""

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = json.dumps({"vulns": [FLAW]} if asked["package"]["name"] == "pillow" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


@pytest.fixture
def nobody() -> str:
    """An address where no service is."""
    return f"http://127.0.0.1:{free_ports().inference}/v1/query"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, advisories: str) -> Path:
    """A folder with a release, of which a known flaw was accepted."""
    folder = tmp_path_factory.mktemp("released")
    said: list[str] = []
    wishes = Wishes(accepted_flaws=("OSV-2026-1",), osv_url=advisories)
    release(make_repository(folder / "repository"), folder / "dist", wishes, said.append)
    assert "running scripts/check" in said
    return folder / "dist"


def test_a_release_holds_source_parts_audit_and_sums(released: Path) -> None:
    names = {"fishgate-1.2.3.cdx.json", "fishgate-1.2.3.audit.txt", "fishgate-1.2.3.tar.gz"}
    assert {path.name for path in released.iterdir()} == {*names, "SHA256SUMS"}
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=released, check=False).returncode == 0
    with tarfile.open(released / "fishgate-1.2.3.tar.gz") as packed:
        assert "fishgate-1.2.3/pyproject.toml" in packed.getnames()
    assert (released / "fishgate-1.2.3.audit.txt").read_text() == "2 requirements audited: no known flaws\n"


def test_the_list_of_parts_is_valid_and_names_every_requirement_with_its_hash(released: Path) -> None:
    text = (released / "fishgate-1.2.3.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    value = json.loads(text)
    assert (value["bomFormat"], value["metadata"]["component"]["version"]) == ("CycloneDX", "1.2.3")
    urls = {part["purl"] for part in value["components"] if "purl" in part}
    assert {url for url in urls if "pypi" in url} == {"pkg:pypi/numpy@2.0", "pkg:pypi/pillow@1.0"}
    assert "pkg:maven/io.netty/netty-codec-http@4.1.53.Final" in urls
    assert HASH in json.dumps(value["components"][0])


def test_the_same_lock_brings_the_same_list_of_parts(released: Path, root: Path, tmp_path: Path) -> None:
    write_parts(root, tmp_path / "again.json")
    # The names of the two folders must not stand in it either.
    assert (tmp_path / "again.json").read_bytes() == (released / "fishgate-1.2.3.cdx.json").read_bytes()


OBSTACLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "client": (
        lambda root: (root / "client/fishgate_client/version.py").write_text('VERSION = "1.2"\n'),
        "the client's version is 1.2, that of pyproject.toml 1.2.3",
    ),
    "changelog": (
        lambda root: (root / "CHANGELOG.md").write_text("## 1.2.2 (2026-05-04)\n"),
        "the changelog's newest entry is 1.2.2, the version in pyproject.toml 1.2.3",
    ),
    "date": (
        lambda root: (root / "CHANGELOG.md").write_text("## 1.2.3 (unreleased)\n"),
        "the changelog says 1.2.3 (unreleased)",
    ),
    "check": (lambda root: (root / "scripts" / "check").write_text("raise SystemExit(3)\n"), "scripts/check does not"),
}


@pytest.mark.parametrize(("change", "message"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_stands_in_the_way_is_said_and_nothing_is_written(
    root: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    change(root)
    commit(root)
    with pytest.raises(ReleaseError, match=re.escape(message)):
        release(root, tmp_path / "dist", Wishes(), print)
    assert not (tmp_path / "dist").exists()


def test_what_is_not_committed_stands_in_the_way_but_not_of_a_draft(
    root: Path, tmp_path: Path, advisories: str
) -> None:
    (root / "new.py").write_text("")
    with pytest.raises(ReleaseError, match=r"not committed: new\.py"):
        release(root, tmp_path / "dist", Wishes(), print)
    said: list[str] = []
    release(root, tmp_path / "dist", Wishes(is_draft=True, osv_url=advisories), said.append)
    assert "would stand in the way: not committed: new.py" in said
    assert "would stand in the way: pillow 1.0 has OSV-2026-1 (mended in 1.1)" in said
    assert (tmp_path / "dist" / "SHA256SUMS").is_file()


def test_a_known_flaw_stands_in_the_way(root: Path, tmp_path: Path, advisories: str) -> None:
    with pytest.raises(ReleaseError, match=r"pillow 1\.0 has OSV-2026-1 \(mended in 1\.1\)"):
        release(root, tmp_path / "dist", Wishes(osv_url=advisories), print)


def test_an_audit_that_reaches_nobody_says_so_and_may_be_demanded(root: Path, tmp_path: Path, nobody: str) -> None:
    said: list[str] = []
    with pytest.raises(ReleaseError, match="could not be audited"):
        release(root, tmp_path / "dist", Wishes(must_be_audited=True, osv_url=nobody), said.append)
    assert said[-1].startswith("NOT AUDITED: no advisory source could be reached (pip-audit: ")
    assert audit_troubles(Audit(), Wishes()) == []


def test_silence_about_packages_is_not_taken_for_health() -> None:
    skipped = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    nothing = read_report({"dependencies": [skipped]})
    assert (nothing.asked, "NOT AUDITED" in nothing.sentence()) == (0, True)
    asked = {"name": "numpy", "version": "2.0", "vulns": []}
    assert read_report({"dependencies": [asked, skipped]}).sentence() == (
        "1 requirements audited: no known flaws; nothing could be learnt of 1: torch"
    )
    assert not read_report({"dependencies": []}).asked


def test_the_models_of_the_demo_pack_are_parts() -> None:
    card = json.loads((ROOT / "models" / "expert" / "demo" / "model_card.json").read_text())
    expert, zero_shot = model_parts(ROOT / "models")
    assert (expert["type"], expert["version"]) == ("machine-learning-model", card["version"])
    assert expert["hashes"][0]["content"] == card["weights"]["sha256"]
    assert zero_shot["name"] == "fishgate-zero_shot"


def test_a_list_of_no_parts_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "requirements.txt").write_text("# nothing\n")
    with pytest.raises(ReleaseError, match="the list of parts is empty"):
        write_parts(root, tmp_path / "parts.json")


def test_the_versions_of_this_repository_agree() -> None:
    assert [trouble for trouble in version_troubles(ROOT) if "unreleased" not in trouble] == []
    assert re.fullmatch(r"\d+\.\d+\.\d+", package_version(ROOT))
