"""Building the .mar and .war archives from their sources.

Owns what goes into which archive. An archive carries the whole ``fishgate`` package and the
``handlers`` package, so that it works on any TorchServe that has the third-party wheels.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.bootstrap import ROOT
from server.fingerprints import files_in, fingerprint
from server.manifests import CARD, STORE_MANIFEST, ManifestError, pack_files, read_manifest, record_archive
from server.signatures import KEY_VARIABLE, public_key_file
from server.verifying import Untrusted, check_pack

WORKFLOW = "fish"
_STAMPS = "built.json"


class BuildError(Exception):
    """An archive cannot be built; the message says what to do."""


@dataclass(frozen=True)
class ModelSource:
    """What one .mar is made of; ``model`` is the folder of card and weights, None for the router."""

    name: str
    handler: Path
    config: Path
    model: Path | None


def build(store: Path, *, pack: str, device: str, say: Callable[[str], None]) -> bool:
    """Build all archives of a pack into ``store``; return whether any of them changed.

    An archive whose sources are unchanged is left alone. Raises BuildError, also for a pack that was tampered with.
    """
    store.mkdir(parents=True, exist_ok=True)
    sources = model_sources(pack, device)
    for source in sources:
        _check_pack(source)
    changed = [_build_model(store, source, say) for source in sources]
    changed.append(_build_workflow(store, _specification(device), say))
    return any(changed)


def outdated(store: Path, *, pack: str, device: str) -> list[str]:
    """Return the names of the archives that ``build`` would build; raise BuildError where it would."""
    inputs = {f"{source.name}.mar": _inputs(source) for source in model_sources(pack, device)}
    inputs[f"{WORKFLOW}.war"] = [_specification(device)]
    return [name for name, paths in inputs.items() if not _is_built(store / name, fingerprint(paths))]


def model_sources(pack: str, device: str) -> tuple[ModelSource, ...]:
    """Return the sources of the three models; raise BuildError if the pack is not there."""
    return tuple(
        ModelSource(
            name=name,
            handler=ROOT / "handlers" / f"{name}_handler.py",
            config=ROOT / "models" / name / f"model-config.{device}.yaml",
            model=None if name == "router" else _pack_folder(name, pack),
        )
        for name in ("expert", "router", "zero_shot")
    )


def build_model(store: Path, source: ModelSource) -> None:
    """Build one .mar, whether or not it is there already."""
    with tempfile.TemporaryDirectory() as scratch:
        _stage(source, Path(scratch) / "content")
        shutil.copy(source.config, Path(scratch) / "model-config.yaml")
        _archive(
            "model_archiver.model_packaging",
            Path(scratch),
            "--model-name",
            source.name,
            "--version",
            version_of(source),
            "--force",
            "--handler",
            str(source.handler),
            "--config-file",
            str(Path(scratch) / "model-config.yaml"),
            "--extra-files",
            str(Path(scratch) / "content"),
            "--export-path",
            str(store),
        )
    record_archive(store / f"{source.name}.mar")


def version_of(source: ModelSource) -> str:
    """Return the version that an archive bears: that of its card, and what tells apart two archives of one card."""
    if source.model is None:
        return "1.0"
    card = json.loads((source.model / "model_card.json").read_text(encoding="utf-8"))
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", str(card["version"])).strip("-.") or "unnamed"
    return f"{name}-{source_fingerprint(source)[:8]}"


def source_fingerprint(source: ModelSource) -> str:
    """Return the hash of all that an archive is made of."""
    return fingerprint(_inputs(source))


def write_stamp(archive: Path, seen: str) -> None:
    """Write down of what an archive was made; the next build of the same leaves it alone."""
    stamps = archive.parent / _STAMPS
    stamps.write_text(json.dumps({**_stamped(archive.parent), archive.name: seen}, indent=1))


def build_workflow(store: Path, specification: Path) -> None:
    """Build the .war, whether or not it is there already."""
    with tempfile.TemporaryDirectory() as scratch:
        _archive(
            "workflow_archiver.workflow_packaging",
            Path(scratch),
            "--workflow-name",
            WORKFLOW,
            "--spec-file",
            str(specification),
            "--handler",
            str(ROOT / "handlers" / "no_functions.py"),
            "--force",
            "--export-path",
            str(store),
        )
    record_archive(store / f"{WORKFLOW}.war")


def _specification(device: str) -> Path:
    return ROOT / "handlers" / f"{WORKFLOW}.{device}.yaml"


def _pack_folder(name: str, pack: str) -> Path:
    folder = ROOT / "models" / name / pack
    if not (folder / "model_card.json").is_file():
        raise BuildError(f"the model pack {pack!r} has no card for {name}; {_hint(name, pack)}")
    return folder


def _hint(name: str, pack: str) -> str:
    if pack == "hub":
        return "get it with scripts/fetch_models"
    if pack == "demo":
        return f"restore models/{name}/{pack} with git"
    found = sorted(card.parent.name for card in (ROOT / "models" / name).glob("*/model_card.json"))
    return f"there are {', '.join(found) or 'none'}; hub comes with scripts/fetch_models"


def _build_model(store: Path, source: ModelSource, say: Callable[[str], None]) -> bool:
    return _unless_built(store / f"{source.name}.mar", _inputs(source), lambda: build_model(store, source), say)


def _inputs(source: ModelSource) -> list[Path]:
    """Return all files that an archive is made of."""
    common = [source.handler, source.config, *files_in(ROOT / "fishgate"), *files_in(ROOT / "handlers")]
    return [*common, *_model_files(source)]


def _build_workflow(store: Path, specification: Path, say: Callable[[str], None]) -> bool:
    return _unless_built(store / f"{WORKFLOW}.war", [specification], lambda: build_workflow(store, specification), say)


def _unless_built(archive: Path, inputs: list[Path], make: Callable[[], None], say: Callable[[str], None]) -> bool:
    seen = fingerprint(inputs)
    if _is_built(archive, seen):
        return False
    if public_key_file() is not None:  # what would be built here could not be served, and would replace what can
        raise BuildError(
            f"{archive} is not there or not of what is here now, and {KEY_VARIABLE} demands signed archives; "
            "build and sign them where the secret key is (there without this variable), and bring them here"
        )
    say(f"building {archive.name}")
    make()
    write_stamp(archive, seen)
    return True


def _is_built(archive: Path, seen: str) -> bool:
    """Tell whether the archive is there, stands in the manifest, and was made of files of this fingerprint."""
    return _is_recorded(archive) and archive.exists() and _stamped(archive.parent).get(archive.name) == seen


def _stamped(store: Path) -> dict[str, str]:
    stamps = store / _STAMPS
    return dict(json.loads(stamps.read_text())) if stamps.exists() else {}


def _is_recorded(archive: Path) -> bool:
    """Tell whether the manifest knows the archive; whether it is as it was then, is asked before it is served."""
    manifest = archive.parent / STORE_MANIFEST
    try:
        return manifest.exists() and archive.name in read_manifest(manifest)
    except ManifestError as error:
        raise BuildError(f"{error}; remove it, then all archives are built anew") from None


def _check_pack(source: ModelSource) -> None:
    try:
        if source.model is not None:
            check_pack(source.model)
    except Untrusted as error:
        raise BuildError(str(error)) from None


def _stage(source: ModelSource, content: Path) -> None:
    """Lay out what unpacks beside the handler; sub-folders of ``content`` stay whole."""
    for package in ("fishgate", "handlers"):
        shutil.copytree(ROOT / package, content / package, ignore=shutil.ignore_patterns("__pycache__", "*.yaml"))
    for file in _model_files(source):
        shutil.copy(file, content)


def _model_files(source: ModelSource) -> list[Path]:
    """Return the card and the tensors, which its manifest vouches for; what else lies in a pack's folder stays there.

    Raises BuildError for a pack with a symbolic link in it.
    """
    if source.model is None:
        return []
    try:
        names = pack_files(source.model)
    except ManifestError as error:
        raise BuildError(str(error)) from None
    return [source.model / name for name in names if name == CARD or name.endswith(".safetensors")]


def _archive(module: str, scratch: Path, *arguments: str) -> None:
    # The archivers wipe $TMPDIR/<model-name> before they start: each build gets its own.
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(scratch)}, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"the archiver failed: {(done.stderr or done.stdout).strip()[-500:]}")
