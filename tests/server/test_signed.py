"""Where signatures are demanded, only what the owner of the key signed is served; and how things get signed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from server.archives import BuildError, build
from server.bootstrap import ROOT
from server.manifests import PACK_MANIFEST, STORE_MANIFEST, record_archive, write_pack_manifest
from server.signatures import KEY_VARIABLE, SignatureError, make_keys, sign
from server.verifying import Untrusted, check_archive, check_pack, check_store
from tests.server.toy_stores import flip, write_store


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
