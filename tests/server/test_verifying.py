"""What was tampered with, damaged or slipped in is refused, by name and with what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.archives import BuildError, ModelSource, build, build_workflow
from server.bootstrap import ROOT
from server.configuration import Settings, free_ports
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
from server.signatures import KEY_VARIABLE, SignatureError, make_keys, sign
from server.verifying import Untrusted, check_archive, check_pack, check_store
from tests.server.toy_stores import write_pack, write_store


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return write_store(tmp_path / "store")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack")


def flip(path: Path) -> None:
    """Change one bit, and neither size nor time."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


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


class TestSigned:
    """Where a public key is set, only what its owner signed is served."""

    @pytest.fixture(autouse=True)
    def _demanded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(KEY_VARIABLE, str(make_keys(tmp_path / "owner")))

    def test_a_signed_store_and_pack_are_trusted(self, store: Path, pack: Path, tmp_path: Path) -> None:
        sign(store / STORE_MANIFEST, tmp_path / "owner")
        sign(pack / PACK_MANIFEST, tmp_path / "owner")
        check_store(store)
        check_archive(store / "expert.mar")
        check_pack(pack)

    def test_what_nobody_signed_is_refused(self, store: Path, pack: Path) -> None:
        with pytest.raises(Untrusted, match=r"MANIFEST\.json is not signed, and FISHGATE_PUBLIC_KEY demands it"):
            check_store(store)
        with pytest.raises(Untrusted, match=r"manifest\.json is not signed"):
            check_pack(pack)
        (pack / PACK_MANIFEST).unlink()
        with pytest.raises(Untrusted, match=r"there is no manifest\.json"):
            check_pack(pack)

    def test_who_changes_archive_and_manifest_is_found_out(self, store: Path, tmp_path: Path) -> None:
        signature = sign(store / STORE_MANIFEST, tmp_path / "owner")
        kept = signature.read_bytes()
        flip(store / "expert.mar")
        record_archive(store / "expert.mar")
        signature.write_bytes(kept)
        with pytest.raises(Untrusted, match="the manifest was changed, or somebody else has signed it"):
            check_archive(store / "expert.mar")

    def test_the_signature_of_somebody_else_is_refused(self, store: Path, tmp_path: Path) -> None:
        make_keys(tmp_path / "stranger")
        sign(store / STORE_MANIFEST, tmp_path / "stranger")
        with pytest.raises(Untrusted, match=r"the signature of .* is not that of owner\.pub"):
            check_store(store)

    @pytest.mark.parametrize("signature", [b"", b"no base64 \xff", b"AAAA"])
    def test_a_damaged_signature_is_refused(self, store: Path, signature: bytes) -> None:
        (store / "MANIFEST.json.sig").write_bytes(signature)
        with pytest.raises(Untrusted, match="the signature of"):
            check_store(store)

    def test_nothing_is_built_over_what_was_signed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = write_store(tmp_path / "signed")
        signature = sign(store / STORE_MANIFEST, tmp_path / "owner")
        monkeypatch.setattr("server.archives.model_sources", lambda pack, device: ())
        with pytest.raises(
            BuildError, match=r"fish\.war is not there or not of what is here now, and FISHGATE_PUBLIC_KEY"
        ):
            build(store, pack="toy", device="cpu", say=print)
        assert signature.exists()
        check_store(store)

    def test_a_key_that_is_none_lets_nothing_through(
        self, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign(store / STORE_MANIFEST, tmp_path / "owner")
        for content, message in ((None, "cannot be read"), ("no key", "no key in PEM form")):
            if content:
                (tmp_path / "other.pub").write_text(content)
            monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "other.pub"))
            with pytest.raises(Untrusted, match=message):
                check_store(store)


def test_keys_are_never_replaced_and_the_secret_one_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    make_keys(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SignatureError, match="is there already"):
        make_keys(tmp_path / "key")


def test_the_public_key_signs_nothing(store: Path, tmp_path: Path) -> None:
    public = make_keys(tmp_path / "key")
    with pytest.raises(SignatureError, match="no key in PEM form"):
        sign(store / STORE_MANIFEST, public)


def script(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "sign"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_makes_keys_signs_and_checks(
    store: Path, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert script("new-key", tmp_path / "key").returncode == 0
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "key.pub"))
    assert "is not signed" in script("check", store).stderr
    done = script("folder", "--key", tmp_path / "key", store, pack)
    assert done.returncode == 0, done.stderr
    assert script("check", store, pack).stdout.count("signed, and as its manifest says") == 2
    (pack / "golden.json").write_text("{}")
    write_pack_manifest(pack)
    assert script("check", pack).returncode == 1


def test_the_script_signs_nothing_that_its_manifest_does_not_describe(store: Path, tmp_path: Path) -> None:
    make_keys(tmp_path / "key")
    flip(store / "expert.mar")
    done = script("folder", "--key", tmp_path / "key", store)
    assert (done.returncode, "expert.mar is not the file" in done.stderr) == (1, True)
    assert not (store / "MANIFEST.json.sig").exists()


def test_the_script_says_where_no_manifest_is(tmp_path: Path) -> None:
    assert "there is no manifest in" in script("check", tmp_path).stderr
    assert "is no model pack" in script("manifest", tmp_path).stderr
