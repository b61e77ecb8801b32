"""What was tampered with, damaged or slipped in is refused, by name and with what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from server.archives import BuildError, ModelSource, build, build_workflow
from server.bootstrap import ROOT
from server.configuration import Settings, free_ports
from server.deploy.errors import DeployError
from server.deploy.journal import Change
from server.deploy.shelf import lay_beside
from server.instance import StartError, start
from server.manifests import (
    CARD,
    PACK_MANIFEST,
    STORE_MANIFEST,
    ManifestError,
    forget_archive,
    record_archive,
    write_pack_manifest,
)
from server.signatures import make_keys, sign
from server.verifying import Untrusted, check_archive, check_pack, check_store
from tests.server.toy_stores import flip, write_store


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_what_was_built_is_trusted(store: Path, pack: Path) -> None:
    check_store(store)
    check_archive(store / "zero_shot.mar")
    check_pack(pack)


STORE_TROUBLES: dict[str, tuple[Callable[[Path], None], str]] = {
    "one bit changed": (lambda store: flip(store / "expert.mar"), "expert.mar is not the file that was built"),
    "cut short": (lambda store: truncate(store / "fish.war"), "fish.war is not the file that was built"),
    "gone": (lambda store: (store / "router.mar").unlink(), "router.mar stands in the manifest and is not there"),
    "slipped in": (lambda store: (store / "more.mar").write_bytes(b"code"), "more.mar does not stand in the manifest"),
    "slipped in deeper": (
        lambda store: write_store(store / "sub").joinpath(STORE_MANIFEST).unlink(),
        "sub/expert.mar does not stand in the manifest",
    ),
    "no manifest": (lambda store: (store / STORE_MANIFEST).unlink(), "there is no MANIFEST.json; build the archives"),
    "a linked folder": (lambda store: link(store / "more", store.parent), "more is a symbolic link, and only files"),
    "a linked archive": (lambda store: link(store / "sea.mar", store / "fish.war"), "sea.mar is a symbolic link"),
    "manifest cut short": (lambda store: halve(store / STORE_MANIFEST), "MANIFEST.json is damaged"),
    "manifest of another form": (lambda store: (store / STORE_MANIFEST).write_text("[]"), "wanted is an object"),
}


def link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(("harm", "message"), STORE_TROUBLES.values(), ids=STORE_TROUBLES)
def test_a_store_that_was_tampered_with_is_refused(
    store: Path, harm: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    harm(store)
    with pytest.raises(Untrusted, match=message):
        check_store(store)
    settings = Settings(home=tmp_path / "home", store=store, ports=free_ports())
    with pytest.raises(StartError, match=message):
        start(settings)
    assert not settings.log.exists(), "TorchServe was started all the same"


def test_one_archive_is_judged_alone(store: Path) -> None:
    flip(store / "expert.mar")
    check_archive(store / "router.mar")
    with pytest.raises(Untrusted, match=r"expert\.mar is not the file"):
        check_archive(store / "expert.mar")


def test_an_archive_comes_and_goes_with_its_line(store: Path) -> None:
    (store / "expert_2.mar").write_bytes(b"a later version")
    record_archive(store / "expert_2.mar")
    check_store(store)
    (store / "expert_2.mar").unlink()
    forget_archive(store / "expert_2.mar")
    check_store(store)


def lay_elsewhere(folder: Path) -> None:
    link(folder, folder.rename(folder.parents[1] / "elsewhere"))


PACK_TROUBLES: dict[str, tuple[Callable[[Path], None], str]] = {
    "weights": (lambda pack: flip(pack / "weights.safetensors"), "weights.safetensors is not the file"),
    "card": (lambda pack: flip(pack / CARD), "model_card.json is not the file"),
    "list": (lambda pack: truncate(pack / "species_lists" / "lake.csv"), "lake.csv is not the file"),
    "more tensors": (lambda pack: (pack / "gate.safetensors").write_bytes(b"x"), "gate.safetensors does not stand"),
    "a list more": (lambda pack: (pack / "species_lists" / "sea.csv").write_text("x"), "sea.csv does not stand"),
    "gone": (lambda pack: (pack / "weights.safetensors").unlink(), "weights.safetensors stands in .* not there"),
    "a hidden list": (lambda pack: (pack / "species_lists" / ".sea.csv").write_text("x"), ".sea.csv does not stand"),
    "lists elsewhere": (lambda pack: lay_elsewhere(pack / "species_lists"), "species_lists is a symbolic link"),
    "no manifest": (
        lambda pack: (pack / PACK_MANIFEST).unlink(),
        "there is no manifest.json; if it is your own, write one with scripts/sign manifest",
    ),
}


@pytest.mark.parametrize(("harm", "message"), PACK_TROUBLES.values(), ids=PACK_TROUBLES)
def test_a_pack_that_was_tampered_with_is_refused(pack: Path, harm: Callable[[Path], None], message: str) -> None:
    harm(pack)
    with pytest.raises(Untrusted, match=message):
        check_pack(pack)


def test_embeddings_that_were_computed_beside_a_list_are_no_trouble(pack: Path) -> None:
    (pack / "species_lists" / "lake.0123.embeddings.npy").write_bytes(b"computed")
    check_pack(pack)


def test_no_manifest_is_written_for_a_pack_with_a_link(pack: Path) -> None:
    (pack / PACK_MANIFEST).unlink()
    link(pack / "gate.safetensors", pack / "weights.safetensors")
    with pytest.raises(ManifestError, match=r"gate\.safetensors is a symbolic link, .* put a copy in its place"):
        write_pack_manifest(pack)
    assert not (pack / PACK_MANIFEST).exists()


@pytest.mark.parametrize(("harm", "message"), PACK_TROUBLES.values(), ids=PACK_TROUBLES)
def test_nothing_is_built_of_a_pack_that_was_tampered_with(
    pack: Path, harm: Callable[[Path], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, config = ROOT / "handlers/expert_handler.py", ROOT / "models/expert/model-config.cpu.yaml"
    source = ModelSource("expert", handler, config, pack)
    monkeypatch.setattr("server.archives.model_sources", lambda pack, device: (source,))
    harm(pack)
    with pytest.raises(BuildError, match=message):
        build(tmp_path / "store", pack="toy", device="cpu", say=print)
    assert not list((tmp_path / "store").iterdir())


@pytest.mark.parametrize(("harm", "message"), PACK_TROUBLES.values(), ids=PACK_TROUBLES)
def test_no_version_is_laid_beside_another_of_a_pack_that_was_tampered_with(
    store: Path, pack: Path, harm: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    handler, config = ROOT / "handlers/expert_handler.py", ROOT / "models/expert/model-config.cpu.yaml"
    source = ModelSource("expert", handler, config, pack)
    change = Change("expert", "fish__expert", old="1.0", new="toy", stamp="0")
    harm(pack)
    with pytest.raises(DeployError, match=message):
        lay_beside(store, change, source, scratch=tmp_path / "scratch")
    check_store(store)  # nothing has come to it


def test_building_writes_the_manifest_and_removes_a_signature_that_no_longer_holds(tmp_path: Path) -> None:
    make_keys(tmp_path / "key")
    for device in ("cpu", "gpu"):
        build_workflow(tmp_path, ROOT / "handlers" / f"fish.{device}.yaml")
        check_store(tmp_path)
        assert not (tmp_path / "MANIFEST.json.sig").exists()
        sign(tmp_path / STORE_MANIFEST, tmp_path / "key")
    assert set(json.loads((tmp_path / STORE_MANIFEST).read_text())) == {"fish.war"}


def test_the_same_manifest_again_keeps_its_signature(pack: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "key")
    sign(pack / PACK_MANIFEST, tmp_path / "key")
    write_pack_manifest(pack)
    assert (pack / "manifest.json.sig").exists()
    (pack / "golden.json").write_text("{}")
    write_pack_manifest(pack)
    assert not (pack / "manifest.json.sig").exists()


@pytest.mark.parametrize("kind", ["expert", "zero_shot"])
def test_the_demo_pack_is_as_its_manifest_says(kind: str) -> None:
    check_pack(ROOT / "models" / kind / "demo")  # otherwise: scripts/sign manifest models/*/demo
