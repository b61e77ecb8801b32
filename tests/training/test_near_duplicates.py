"""A picture is known again encoded anew, scaled, mirrored or turned; other pictures are not mistaken for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.training.toy_scenes import ALTERATIONS, draw_scene, save, save_scene
from training.near_duplicates import Kind, Limits, Pair, find_twins, join


@pytest.mark.parametrize("name", ALTERATIONS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_altered_picture_is_known_again(name: str, seed: int, tmp_path: Path):
    save_scene(seed, tmp_path / "a.png")
    save(ALTERATIONS[name](draw_scene(seed)), tmp_path / "b.jpg", quality=40)
    twins = find_twins(["a.png", "b.jpg"], tmp_path)
    assert [(pair.first, pair.second) for pair in twins.pairs] == [("a.png", "b.jpg")]
    is_slanting = "37" in name or "45" in name
    assert twins.pairs[0].kind is (Kind.TURNED if is_slanting else Kind.RESEMBLING)


def test_unlike_pictures_are_no_twins(tmp_path: Path):
    names = [save_scene(seed, tmp_path / f"{seed}.png").name for seed in range(60)]
    twins = find_twins(names, tmp_path)
    assert twins.pairs == ()
    assert twins.paths == tuple(sorted(names))


def test_a_copied_file_is_identical_whatever_its_name(tmp_path: Path):
    save_scene(1, tmp_path / "b.png")
    shutil.copy(tmp_path / "b.png", tmp_path / "a.png")
    assert find_twins(["b.png", "a.png"], tmp_path).pairs == (Pair("a.png", "b.png", Kind.IDENTICAL),)


def test_blank_pictures_are_twins_only_byte_by_byte(tmp_path: Path):
    for name, colour in {"black.png": "black", "white.png": "white", "black_again.png": "black"}.items():
        Image.new("RGB", (40, 40), colour).save(tmp_path / name)
    twins = find_twins(["black.png", "white.png", "black_again.png"], tmp_path)
    assert twins.pairs == (Pair("black.png", "black_again.png", Kind.IDENTICAL),)


def test_unreadable_pictures_are_named_with_their_reason(tmp_path: Path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_bytes(b"not a picture")
    (tmp_path / "cut.jpg").write_bytes(save_scene(1, tmp_path / "whole.jpg").read_bytes()[:300])
    twins = find_twins(["whole.jpg", "empty.jpg", "text.jpg", "cut.jpg", "absent.jpg"], tmp_path)
    assert twins.paths == ("whole.jpg",)
    assert set(twins.unreadable) == {"empty.jpg", "text.jpg", "cut.jpg", "absent.jpg"}
    assert "empty (0 bytes)" in twins.unreadable["empty.jpg"]
    assert "no picture of an accepted format" in twins.unreadable["text.jpg"]
    assert "damaged or cut off" in twins.unreadable["cut.jpg"]
    assert twins.unreadable["absent.jpg"] == "No such file or directory"


def test_a_smaller_distance_finds_less(tmp_path: Path):
    save_scene(1, tmp_path / "a.png")
    save(ALTERATIONS["brighter"](draw_scene(1)), tmp_path / "b.png")
    assert find_twins(["a.png", "b.png"], tmp_path, Limits(distance=0, likeness=1.0)).pairs == ()


def test_real_photographs_of_a_tray_are_no_twins_of_other_classes(photos: Path):
    paths = [str(file.relative_to(photos)) for file in sorted((photos / "expert" / "seafood11").glob("*/*.jpg"))[::6]]
    pairs = find_twins(paths, photos).pairs
    assert all(Path(pair.first).parent == Path(pair.second).parent for pair in pairs)


def test_groups_hang_together_through_a_third_picture():
    names = {"a": "a", "b": "b", "c": "c", "d": "d"}
    pairs = [Pair("c", "d", Kind.TURNED), Pair("b", "c", Kind.RESEMBLING)]
    assert join(names, pairs) == {"a": "a", "b": "b", "c": "b", "d": "b"}


def test_given_groups_are_kept_and_joined():
    names = {"a": "k2", "b": "k2", "c": "k1", "d": "k3"}
    assert join(names, [Pair("b", "c", Kind.RESEMBLING)]) == {"a": "k1", "b": "k1", "c": "k1", "d": "k3"}


@settings(deadline=None)  # other programs on the machine must not fail it
@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)).filter(lambda pair: pair[0] < pair[1]), max_size=20))
def test_paired_pictures_always_share_a_group_and_unconnected_never(edges: list[tuple[int, int]]):
    names = {f"{i:02}": f"{i:02}" for i in range(16)}
    groups = join(names, [Pair(f"{first:02}", f"{second:02}", Kind.RESEMBLING) for first, second in edges])
    reached = {path: {path} for path in names}
    for _ in names:
        for first, second in edges:
            both = reached[f"{first:02}"] | reached[f"{second:02}"]
            for path in both:
                reached[path] = both
    assert groups == {path: min(reached[path]) for path in names}
