"""A segmentation network is opened by name or from a file; what fails says how to mend it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.training.toy_segmentation import write_red_finder
from training.segmentation import SessionUnavailable, open_session


def red_fish_on_blue() -> Image.Image:
    picture = Image.new("RGB", (120, 80), "lightblue")
    ImageDraw.Draw(picture).ellipse([30, 20, 90, 60], fill="red")
    return picture


def test_a_network_from_a_file_finds_the_fish(tmp_path: Path):
    session = open_session(f"file:{write_red_finder(tmp_path / 'red.onnx')}")
    [mask] = session.predict(red_fish_on_blue())
    assert (mask.mode, mask.size) == ("L", (120, 80))
    values = np.asarray(mask)
    assert (values[40, 60], values[5, 5], values[75, 115]) == (255, 0, 0)


def test_a_network_by_rembgs_own_name_finds_the_fish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The whole way of a named session, its weights put by hand where rembg looks for them."""
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setenv("MODEL_CHECKSUM_DISABLED", "1")
    (tmp_path / "models" / "u2netp").mkdir(parents=True)
    write_red_finder(tmp_path / "models" / "u2netp" / "u2netp.onnx")
    [mask] = open_session("u2netp").predict(red_fish_on_blue())
    assert np.asarray(mask)[40, 60] == 255


def test_weights_that_cannot_be_had_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    monkeypatch.setattr("pooch.retrieve", _no_network)
    message = (
        r"session 'u2net' could not be opened \(ConnectionError: no network\).*put them into .*models/u2net by hand"
    )
    with pytest.raises(SessionUnavailable, match=message):
        open_session("u2net")


def test_an_unknown_name_is_refused_with_those_allowed():
    with pytest.raises(ValueError, match=r"no rembg session 'u3net'; allowed: file:PATH\.onnx, .*u2net, "):
        open_session("u3net")


def test_a_session_that_sends_pictures_away_is_refused():
    with pytest.raises(ValueError, match="'atlascloud' sends pictures to another machine"):
        open_session("atlascloud")


def test_an_absent_file_is_refused():
    with pytest.raises(SessionUnavailable, match=r"there is no segmentation network absent\.onnx"):
        open_session("file:absent.onnx")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path):
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    with pytest.raises(SessionUnavailable, match=r"bad\.onnx is no network that onnxruntime can run"):
        open_session(f"file:{tmp_path / 'bad.onnx'}")


def _no_network(*args: object, **kwargs: object) -> None:
    raise ConnectionError("no network")
