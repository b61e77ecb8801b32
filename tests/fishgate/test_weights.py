"""A file of tensors is taken only if it is the one that the card was written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.errors import WeightsError
from fishgate.weights import Weights, checked_file, sha256_of

FILE = "weights.safetensors"


def with_hash(sha256: str) -> Weights:
    return Weights(file=FILE, sha256=sha256)


def test_a_file_that_fits_the_card_is_found(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"weights")
    assert checked_file(with_hash(sha256_of(tmp_path / FILE)), tmp_path, owner="toy") == tmp_path / FILE


def test_a_file_that_differs_is_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"weights")
    said = "bc286af0a38df87ee6c07dc7f97ce8a1ee13a1fa5e0d1fb0d6b3a5e6c4b9fb5e"
    with pytest.raises(WeightsError, match=f"the weights of 'toy' have SHA-256 [0-9a-f]{{64}}, the card says {said}"):
        checked_file(with_hash(said), tmp_path, owner="toy")


def test_a_missing_file_is_refused_by_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"the gate features 'weights\.safetensors' .* of 'toy' names are missing"):
        checked_file(with_hash("0" * 64), tmp_path, owner="toy", what="gate features")


def test_a_hash_is_the_one_that_everybody_computes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert sha256_of(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
