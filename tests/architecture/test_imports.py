"""Which way the arrows go: every import of the rooms, held against the allowed edges."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROOMS = ("fishgate", "handlers", "server", "packs", "training", "benchmarks", "gateway", "client", "tests")
"""All rooms of the repository."""

PACKAGES = {*ROOMS, "fishgate_client"} - {"client"}
"""What the code of the rooms is imported by; ``client`` is a folder that goes on the path."""

MAY_IMPORT = {  # room: the other rooms that it may look into
    "fishgate": set(),
    "handlers": {"fishgate"},
    "server": set(),
    "packs": {"fishgate", "server"},
    "training": {"fishgate"},
    "gateway": {"fishgate"},
    "client": {"fishgate_client"},
}

FISHGATE_LIBRARIES = {"numpy", "PIL", "pydantic", "torch", "torchvision", "timm", "open_clip", "cv2", "safetensors"}

FORBIDDEN_LIBRARIES = {  # room: third-party libraries that it must not know
    "handlers": {"requests", "fastapi", "starlette", "flask", "httpx"},
    "server": {"torch", "torchvision", "open_clip", "ts", "aiohttp", "numpy", "PIL"},
    "packs": {"ts", "aiohttp"},
    "training": {"ts", "aiohttp", "requests"},
    "gateway": {"torch", "torchvision", "timm", "open_clip", "cv2", "ts", "requests"},
    "client": {"torch", "numpy", "pydantic", "fastapi", "starlette", "ts"},
}

ENGINE = (  # of the gateway, leaves first: what is behind both doors, and knows neither
    ("repeating", "resolving", "sender", "traffic", "trials", "version_figures"),
    ("trace", "observing", "pause", "breaker", "cache", "probe", "backend", "window", "drift_shadow"),
    ("waiting", "catalogue", "drift", "host_standing", "versions"),
    ("suspicion", "delivery", "versioned"),
    ("gathering",),
    ("guarded", "host"),
    ("host_watch",),
    ("hosts",),
    ("identifier",),
)
ENGINE_LAYER_OF = {module: number for number, layer in enumerate(ENGINE) for module in layer}

LAYERS = (  # of fishgate, leaves first; a module may import from its own layer and those before it
    ("__init__", "errors", "record"),
    ("taxonomy",),
    ("lineages",),
    ("weights", "gate_card", "denoising", "frames", "inference_token"),
    ("images", "preprocessing", "model_card", "options", "answer", "telemetry", "device"),
    ("species_list", "list_folder", "list_embeddings", "text_embeddings"),
    ("networks", "gate_score", "expert", "zero_shot", "gate", "rollup", "wire", "spool", "batch"),
    ("cascade", "packet"),
)
LAYER_OF = {module: number for number, layer in enumerate(LAYERS) for module in layer}

TORCH_FREE = (
    "errors",
    "record",
    "taxonomy",
    "options",
    "wire",
    "answer",
    "model_card",
    "species_list",
    "list_folder",
    "list_embeddings",
    "gate_score",
    "gate",
    "rollup",
    "cascade",
    "spool",
    "frames",
    "packet",
    "inference_token",
)


def python_files(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts)


def imports_of(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)} has a relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def edges(room: str) -> set[tuple[str, str]]:
    """Each file of a room with each top-level package that it imports."""
    return {
        (str(path.relative_to(ROOT)), name.split(".")[0]) for path in python_files(room) for name in imports_of(path)
    }


def fishgate_modules() -> dict[str, set[str]]:
    """Each module of fishgate with the modules of fishgate that it imports."""
    return {
        path.stem: {
            name.split(".")[1]
            for name in imports_of(path)
            if name.startswith("fishgate.") and name.split(".")[1] in LAYER_OF
        }
        for path in python_files("fishgate")
    }


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_looks_only_into_the_rooms_it_may(room: str) -> None:
    others = PACKAGES - {room} - MAY_IMPORT[room]
    assert {edge for edge in edges(room) if edge[1] in others} == set()


def test_fishgate_uses_the_standard_library_and_pure_libraries_only() -> None:
    allowed = {"fishgate", *sys.stdlib_module_names, *FISHGATE_LIBRARIES}
    assert {edge for edge in edges("fishgate") if edge[1] not in allowed} == set()


@pytest.mark.parametrize("room", FORBIDDEN_LIBRARIES)
def test_a_room_does_not_know_foreign_libraries(room: str) -> None:
    assert {edge for edge in edges(room) if edge[1] in FORBIDDEN_LIBRARIES[room]} == set()


def test_only_the_adaptors_know_torchserve_and_its_http() -> None:
    knowing = {file for file, package in edges("handlers") if package in ("ts", "aiohttp")}
    assert knowing == {"handlers/adaptors/inference_client.py", "handlers/adaptors/torchserve.py"}


def test_handlers_do_not_know_each_other() -> None:
    names = {path.stem for path in (ROOT / "handlers").glob("*_handler.py")}
    for path in python_files("handlers"):
        assert not {name for name in imports_of(path) if name.split(".")[-1] in names - {path.stem}}


def test_the_bootstrap_uses_the_standard_library_only() -> None:
    assert {name.split(".")[0] for name in imports_of(ROOT / "server" / "bootstrap.py")} <= sys.stdlib_module_names


def test_every_module_of_fishgate_has_its_layer() -> None:
    assert set(fishgate_modules()) == set(LAYER_OF), "put the new module into LAYERS, or take the old one out"


@pytest.mark.parametrize("module", LAYER_OF)
def test_a_module_imports_only_from_its_own_layer_and_those_below(module: str) -> None:
    above = {name for name in fishgate_modules().get(module, ()) if LAYER_OF[name] > LAYER_OF[module]}
    assert above == set()


def test_no_imports_of_fishgate_run_in_a_circle() -> None:
    rest = fishgate_modules()
    while free := {module for module, needed in rest.items() if not needed & set(rest)}:
        rest = {module: needed for module, needed in rest.items() if module not in free}
    assert rest == {}


def gateway_modules(path: Path) -> set[str]:
    """The modules and folders of the gateway that one of its files imports."""
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("gateway.")}


@pytest.mark.parametrize("module", ENGINE_LAYER_OF)
def test_a_module_of_the_engine_imports_only_those_below_it(module: str) -> None:
    imported = gateway_modules(ROOT / "gateway" / f"{module}.py")
    assert {name: ENGINE_LAYER_OF.get(name) for name in imported} == {
        name: layer for name, layer in ENGINE_LAYER_OF.items() if name in imported and layer < ENGINE_LAYER_OF[module]
    }


def test_the_two_doors_do_not_know_each_other() -> None:
    assert {path.name for path in python_files("gateway/http") if "rpc" in gateway_modules(path)} == set()
    assert {path.name for path in python_files("gateway/rpc") if "http" in gateway_modules(path)} == set()


HEAVY = {"torch", "torchvision", "timm", "open_clip", "cv2", "ts"}
LIGHT = {  # what is imported, and what must not come with it
    "what reads requests": ([f"fishgate.{module}" for module in TORCH_FREE], HEAVY | {"aiohttp"}),
    "the gateway": (["gateway.running"], HEAVY),
}


@pytest.mark.parametrize(("modules", "heavy"), LIGHT.values(), ids=LIGHT)
def test_importing_loads_no_heavy_library(modules: list[str], heavy: set[str]) -> None:
    lines = [f"import {module}" for module in modules]
    check = f"import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", "; ".join([*lines, check])],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
