"""Archives hold all that a worker needs, and are built only when something changed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from server import archives
from server.archives import BuildError, ModelSource, build, build_model, build_workflow, model_sources
from server.manifests import write_pack_manifest
from tests.conftest import ROOT
from tests.toys import card_json, write_features


def write_model(folder: Path, content: bytes = b"weights") -> Path:
    """A model's folder; the archiver does not look into card and weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model_card.json").write_text(json.dumps(card_json()))
    (folder / "weights.safetensors").write_bytes(content)
    write_pack_manifest(folder)
    return folder


def source(folder: Path | None, name: str = "expert") -> ModelSource:
    return ModelSource(
        name=name,
        handler=ROOT / "handlers" / f"{name}_handler.py",
        config=ROOT / "models" / name / "model-config.cpu.yaml",
        model=folder,
    )


def names_in(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return {name for name in opened.namelist() if not name.endswith("/")}


def python_files(package: str) -> set[str]:
    return {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}


@pytest.fixture(scope="module")
def expert_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archives")
    build_model(folder, source(write_model(folder / "model")))
    return folder / "expert.mar"


def test_an_archive_holds_the_whole_library_and_the_handlers(expert_archive: Path) -> None:
    assert python_files("fishgate") | python_files("handlers") <= names_in(expert_archive)


def test_an_archive_holds_card_weights_handler_and_settings(expert_archive: Path) -> None:
    expected = {"model_card.json", "weights.safetensors", "expert_handler.py", "model-config.yaml"}
    assert expected <= names_in(expert_archive)
    with zipfile.ZipFile(expert_archive) as opened:
        assert opened.read("model-config.yaml") == (ROOT / "models/expert/model-config.cpu.yaml").read_bytes()
        manifest = json.loads(opened.read("MAR-INF/MANIFEST.json"))["model"]
    assert (manifest["modelName"], manifest["handler"]) == ("expert", "expert_handler.py")
    assert manifest["configFile"] == "model-config.yaml"


def test_an_archive_holds_every_file_that_the_card_names(tmp_path: Path) -> None:
    rule = {"score": "feature_distance", "intercept": 0.0, "weights": {"feature_distance": -1.0}}
    model = write_model(tmp_path / "model")
    rule["features"] = write_features(model)
    card = card_json(gate={"threshold": 0.5, "evidence": "none, it is a toy", "rule": rule})
    (model / "model_card.json").write_text(json.dumps(card))
    build_model(tmp_path, source(model))
    with zipfile.ZipFile(tmp_path / "expert.mar") as opened:
        assert opened.read("gate.safetensors") == (model / "gate.safetensors").read_bytes()


def test_a_card_deeper_in_a_pack_does_not_take_the_place_of_its_own(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    (model / "older").mkdir()
    (model / "older" / "model_card.json").write_text("{}")
    build_model(tmp_path, source(model))
    with zipfile.ZipFile(tmp_path / "expert.mar") as opened:
        assert opened.read("model_card.json") == (model / "model_card.json").read_bytes()


def test_an_archive_holds_nothing_that_python_wrote(expert_archive: Path) -> None:
    assert not [name for name in names_in(expert_archive) if "__pycache__" in name or name.endswith(".pyc")]


def test_an_archive_hides_no_standard_module(expert_archive: Path) -> None:
    import sys

    top = {name.split("/")[0].removesuffix(".py") for name in names_in(expert_archive)}
    assert not top & set(sys.stdlib_module_names)


def test_the_routers_archive_needs_no_model(tmp_path: Path) -> None:
    build_model(tmp_path, source(None, "router"))
    assert {"router_handler.py", "fishgate/cascade.py"} <= names_in(tmp_path / "router.mar")


def test_the_workflow_archive_holds_its_specification(tmp_path: Path) -> None:
    build_workflow(tmp_path, ROOT / "handlers" / "fish.cpu.yaml")
    with zipfile.ZipFile(tmp_path / "fish.war") as opened:
        specifications = [name for name in opened.namelist() if name.endswith(".yaml")]
        assert opened.read(specifications[0]) == (ROOT / "handlers/fish.cpu.yaml").read_bytes()


def test_only_what_changed_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    said: list[str] = []
    sources = (source(write_model(tmp_path / "model")), source(None, "router"))
    monkeypatch.setattr(archives, "model_sources", lambda pack, device: sources)

    def built() -> list[str]:
        said.clear()
        assert build(store, pack="toy", device="cpu", say=said.append) is bool(said)
        return list(said)

    assert built() == ["building expert.mar", "building router.mar", "building fish.war"]
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    assert built() == []
    assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before
    write_model(tmp_path / "model", b"other weights")
    assert built() == ["building expert.mar"]
    (store / "fish.war").unlink()
    assert built() == ["building fish.war"]


ADVICE = {
    "hub": "get it with scripts/fetch_models",
    "demo": "restore models/expert/demo with git",
    "pike": "there are lakes, seas; hub comes with scripts/fetch_models",
}


@pytest.mark.parametrize(("pack", "advice"), ADVICE.items(), ids=ADVICE)
def test_a_missing_pack_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: str, advice: str
) -> None:
    monkeypatch.setattr(archives, "ROOT", tmp_path)
    for other in ("seas", "lakes"):
        (tmp_path / "models" / "expert" / other).mkdir(parents=True)
        (tmp_path / "models" / "expert" / other / "model_card.json").touch()
    with pytest.raises(BuildError, match=f"the model pack '{pack}' has no card for expert; {advice}"):
        model_sources(pack, "cpu")


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_sources_of_the_demo_pack_are_there(device: str) -> None:
    for model in model_sources("demo", device):
        assert model.handler.is_file()
        assert model.config.is_file()
        assert model.model is None or (model.model / "weights.safetensors").is_file()


def test_what_the_archiver_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="the archiver failed: "):
        build_model(tmp_path / "no such folder", source(None, "router"))
