"""The order of a release: what stands in its way, then the files in ``dist``.

Owns that order. ``dist`` holds the source archive, the list of all parts, the audit, and the SHA-256 of each.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from server.manifests import sha256_of
from server.release.audit import Audit, audit
from server.release.parts import write_parts
from server.release.versions import ReleaseError, package_version, version_troubles

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wishes:
    """What the command line asks for; a draft is written whatever stands in its way."""

    is_draft: bool = False
    must_be_audited: bool = False
    accepted_flaws: Sequence[str] = ()
    osv_url: str | None = None


def release(root: Path, target: Path, wishes: Wishes, say: Say) -> None:
    """Write all files of a release into ``target``; raise ReleaseError if something stands in its way."""
    troubles = [*version_troubles(root), *tree_troubles(root)]
    _stop_at(troubles, wishes, say)
    if not wishes.is_draft:
        _stop_at(check_troubles(root, say), wishes, say)
    result = audit(root / "requirements.txt", accepted=wishes.accepted_flaws, osv_url=wishes.osv_url)
    say(result.sentence())
    _stop_at(audit_troubles(result, wishes), wishes, say)
    target.mkdir(parents=True, exist_ok=True)
    name = f"fishgate-{package_version(root)}"
    (target / f"{name}.audit.txt").write_text(result.sentence() + "\n", encoding="utf-8")
    count = write_parts(root, target / f"{name}.cdx.json")
    say(f"{name}.cdx.json names {count} parts")
    _run(root, "git", "archive", "--prefix", f"{name}/", "--output", str(target / f"{name}.tar.gz"), "HEAD")
    write_sums(target, name)
    say(f"{target} holds {name}: source, parts, audit and SHA256SUMS")


def tree_troubles(root: Path) -> list[str]:
    """Return a sentence about files that are not committed, if there are any."""
    changed = [line[3:] for line in _run(root, "git", "status", "--porcelain").splitlines()]
    more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
    return [f"not committed: {', '.join(changed[:5])}{more}"] if changed else []


def check_troubles(root: Path, say: Say) -> list[str]:
    """Run scripts/check, whose output is shown; return a sentence if it does not pass."""
    say("running scripts/check")
    done = subprocess.run([sys.executable, str(root / "scripts" / "check")], cwd=root, check=False)
    return ["scripts/check does not pass"] if done.returncode else []


def audit_troubles(result: Audit, wishes: Wishes) -> list[str]:
    """Return what in an audit stands in the way: flaws, and, if it must be, that it could not be done."""
    if wishes.must_be_audited and not result.asked:
        return ["the requirements could not be audited"]
    return list(result.flaws)


def write_sums(target: Path, name: str) -> None:
    """Write SHA256SUMS of the files of this release, as ``sha256sum --check`` reads it."""
    paths = sorted(path for path in target.iterdir() if path.name.startswith(f"{name}."))
    (target / "SHA256SUMS").write_text("".join(f"{sha256_of(path)}  {path.name}\n" for path in paths))


def _stop_at(troubles: Sequence[str], wishes: Wishes, say: Say) -> None:
    if troubles and not wishes.is_draft:
        raise ReleaseError("; ".join(troubles))
    for trouble in troubles:
        say(f"would stand in the way: {trouble}")


def _run(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
