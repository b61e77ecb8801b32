"""Building the .mar and .war archives from their sources.

Owns what goes into which archive. An archive carries the whole ``fishgate`` package and the
``handlers`` package, so that it works on any TorchServe that has the third-party wheels.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.bootstrap import ROOT
from server.fingerprints import files_in, fingerprint

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

    An archive whose sources are unchanged is left alone.
    """
    store.mkdir(parents=True, exist_ok=True)
    changed = [_build_model(store, source, say) for source in model_sources(pack, device)]
    changed.append(_build_workflow(store, ROOT / "handlers" / f"{WORKFLOW}.{device}.yaml", say))
    return any(changed)


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
            "1.0",
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


def _pack_folder(name: str, pack: str) -> Path:
    folder = ROOT / "models" / name / pack
    if not (folder / "model_card.json").is_file():
        hint = "get it with scripts/fetch_models" if pack == "hub" else f"restore models/{name}/{pack} with git"
        raise BuildError(f"the model pack {pack!r} has no card for {name}; {hint}")
    return folder


def _build_model(store: Path, source: ModelSource, say: Callable[[str], None]) -> bool:
    inputs = [source.handler, source.config, *files_in(ROOT / "fishgate"), *files_in(ROOT / "handlers")]
    inputs += _model_files(source)
    return _unless_built(store / f"{source.name}.mar", inputs, lambda: build_model(store, source), say)


def _build_workflow(store: Path, specification: Path, say: Callable[[str], None]) -> bool:
    return _unless_built(store / f"{WORKFLOW}.war", [specification], lambda: build_workflow(store, specification), say)


def _unless_built(archive: Path, inputs: list[Path], make: Callable[[], None], say: Callable[[str], None]) -> bool:
    stamps = archive.parent / _STAMPS
    known = json.loads(stamps.read_text()) if stamps.exists() else {}
    seen = fingerprint(inputs)
    if archive.exists() and known.get(archive.name) == seen:
        return False
    say(f"building {archive.name}")
    make()
    stamps.write_text(json.dumps({**known, archive.name: seen}, indent=1))
    return True


def _stage(source: ModelSource, content: Path) -> None:
    """Lay out what unpacks beside the handler; sub-folders of ``content`` stay whole."""
    for package in ("fishgate", "handlers"):
        shutil.copytree(ROOT / package, content / package, ignore=shutil.ignore_patterns("__pycache__", "*.yaml"))
    for file in _model_files(source):
        shutil.copy(file, content)


def _model_files(source: ModelSource) -> list[Path]:
    """Return the card and the tensors; what else lies in the folder of a pack stays there."""
    if source.model is None:
        return []
    return [path for path in files_in(source.model) if path.name == "model_card.json" or path.suffix == ".safetensors"]


def _archive(module: str, scratch: Path, *arguments: str) -> None:
    # The archivers wipe $TMPDIR/<model-name> before they start: each build gets its own.
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(scratch)}, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"the archiver failed: {(done.stderr or done.stdout).strip()[-500:]}")
