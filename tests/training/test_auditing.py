"""An audit finds the twins across published splits and under two classes, and nothing where there are none."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.training.toy_scenes import draw_scene, save, save_scene
from training.auditing import SplitFigures, as_json, audit_place, duplicates
from training.near_duplicates import Kind
from training.photo_set import read_photo_set
from training.photos import Published

LEAKING_TEST_PICTURES = 9  # of 12: six copies, one encoded again, one scaled, one mirrored


def make_leaking_set(folder: Path) -> Path:
    """Draw a set with the leak of the published 31-species set: most test files are in train or val too."""
    for seed in range(10):
        save_scene(seed, folder / "train" / ("Carp" if seed < 5 else "Eel") / f"{seed}.png")
        save_scene(20 + seed, folder / "val" / "Eel" / f"{seed}.png")
    test = folder / "test" / "Carp"
    test.mkdir(parents=True)
    for seed in range(4):
        shutil.copy(folder / "train" / "Carp" / f"{seed}.png", test / f"copy {seed}.png")
    (folder / "test" / "Eel").mkdir()
    for seed in range(2):
        shutil.copy(folder / "val" / "Eel" / f"{seed}.png", folder / "test" / "Eel" / f"copy {seed}.png")
    save(draw_scene(4), test / "encoded.jpg", quality=40)
    save(draw_scene(4).resize((100, 75)), test / "scaled.png")
    save(draw_scene(5).transpose(Image.Transpose.FLIP_LEFT_RIGHT), folder / "test" / "Eel" / "mirrored.jpg")
    for seed in range(40, 43):
        save_scene(seed, folder / "test" / "Eel" / f"{seed}.png")
    return folder


def make_clean_set(folder: Path) -> Path:
    for seed in range(12):
        save_scene(seed, folder / ("train", "val", "test")[seed % 3] / ("Carp", "Eel")[seed % 2] / f"{seed}.png")
    return folder


@pytest.fixture(scope="module")
def leaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_leaking_set(tmp_path_factory.mktemp("leaking"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clean_set(tmp_path_factory.mktemp("clean"))


def run_audit(monkeypatch: pytest.MonkeyPatch, *options: object) -> int:
    """Run the command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["audit", *map(str, options)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "training" / "audit"), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_leak_of_a_published_split_is_counted(leaking: Path):
    found = audit_place(leaking)
    assert (found.pictures, found.classes, found.unreadable, found.conflicts) == (32, 2, {}, ())
    assert found.splits[Published.TEST] == SplitFigures(12, with_copy=6, with_twin=LEAKING_TEST_PICTURES)
    assert found.splits[Published.TRAIN] == SplitFigures(10, with_copy=4, with_twin=6)
    assert found.splits[Published.VALIDATION] == SplitFigures(10, with_copy=2, with_twin=2)
    assert found.crossing == {Kind.IDENTICAL: 6, Kind.RESEMBLING: 3, Kind.TURNED: 0}
    assert found.groups == 32 - LEAKING_TEST_PICTURES
    assert "9 of 12 test pictures have a twin in another split (6 byte-identical)" in found.verdict


def test_twins_within_a_split_are_no_leak(tmp_path: Path):
    make_clean_set(tmp_path)
    shutil.copy(tmp_path / "test" / "Carp" / "2.png", tmp_path / "test" / "Carp" / "copy.png")
    found = audit_place(tmp_path)
    assert found.pairs[Kind.IDENTICAL] == 1
    assert found.is_clean


def test_a_clean_set_passes(clean: Path):
    found = audit_place(clean)
    assert found.is_clean
    assert found.groups == found.pictures == 12
    assert found.verdict == "Clean: no picture has a twin in another split or class."


def test_a_picture_under_two_classes_is_a_conflict(tmp_path: Path):
    save_scene(1, tmp_path / "Carp" / "a.png")
    save_scene(1, tmp_path / "Eel" / "b.jpg")
    found = audit_place(tmp_path)
    assert [(pair.first, pair.second) for pair in found.conflicts] == [("Carp/a.png", "Eel/b.jpg")]
    assert found.verdict == "NOT CLEAN: 1 pairs of twins stand under two classes."


def test_a_set_without_splits_is_told_its_groups(tmp_path: Path):
    for name in ("a", "b"):
        save_scene(1, tmp_path / "Carp" / f"{name}.png")
    save_scene(2, tmp_path / "Eel" / "c.png")
    assert audit_place(tmp_path).verdict == "No split is published; split by the 2 groups, not by the 3 pictures."


def test_unreadable_pictures_are_reported_and_do_not_end_the_audit(tmp_path: Path):
    make_clean_set(tmp_path)
    (tmp_path / "test" / "Carp" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    found = audit_place(tmp_path)
    assert found.pictures == 13
    assert list(found.unreadable) == ["test/Carp/broken.jpg"]
    assert found.splits[Published.TEST].pictures == 4


def test_a_manifest_is_audited_by_its_split_column(leaking: Path, tmp_path: Path):
    lines = [f"{file},{file.parent.name},{file.parts[-3]}" for file in sorted(leaking.glob("*/*/*"))]
    (tmp_path / "m.csv").write_text("\n".join(["path,class,split", *lines]))
    assert audit_place(tmp_path / "m.csv").splits == audit_place(leaking).splits


def test_a_run_keeps_what_crossed_the_published_split(leaking: Path):
    kept = json.loads(json.dumps(duplicates(read_photo_set(leaking))))
    assert (kept["pictures"], kept["groups"], kept["crossing_published_split"]) == (32, 23, LEAKING_TEST_PICTURES)
    assert kept["crossing"] == {"identical": 6, "resembling": 3, "turned": 0}


def test_a_run_on_unpublished_splits_has_none_crossing(tmp_path: Path):
    save_scene(1, tmp_path / "Carp" / "a.png")
    assert duplicates(read_photo_set(tmp_path))["crossing_published_split"] is None


def test_plain_values_name_every_pair(leaking: Path):
    plain = json.loads(json.dumps(as_json(audit_place(leaking))))
    assert len(plain["leaks"]) == LEAKING_TEST_PICTURES
    assert {"first": "test/Carp/copy 0.png", "second": "train/Carp/0.png", "kind": "identical"} in plain["leaks"]


def test_the_command_finds_the_leak(
    leaking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run_audit(monkeypatch, leaking, "--json", tmp_path / "audit.json") == 1
    printed = capsys.readouterr().out
    assert "9 of 12 test pictures have a twin" in " ".join(printed.split())
    assert "75.0%" in printed
    assert json.loads((tmp_path / "audit.json").read_text())["is_clean"] is False


def test_the_command_passes_a_clean_set(
    clean: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run_audit(monkeypatch, clean, "--distance", 30) == 0
    assert "Clean: no picture has a twin" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["absent"], "No such file or directory"),
        ([ROOT / "pyproject.toml"], "must have the columns path and class"),
        ([".", "--distance", "128"], "'128' is no distance; allowed: 0 to 127"),
    ],
    ids=["absent", "no manifest", "distance"],
)
def test_the_command_says_why_it_could_not_run(
    options: list[object], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run_audit(monkeypatch, *options) == 2
    assert message in capsys.readouterr().err
