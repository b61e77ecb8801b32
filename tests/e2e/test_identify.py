"""The client against the real gateway and the real TorchServe, which keep the contract as their stand-in does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from server.bootstrap import ROOT
from server.management import TorchServe
from tests.e2e.conftest import SAMPLE

sys.path.insert(0, str(ROOT / "client"))

from fishgate_client import (
    AsyncFishgate,
    DamagedImage,
    EmptyImage,
    Fishgate,
    FishgateError,
    ImageTooLarge,
    InvalidOption,
    Refused,
    UnsupportedImage,
)

from tests.client.command_line import rows

SAMPLES = [ROOT / "samples" / name for name in ("drawn_goldfish.jpg", "drawn_fish.jpg")]


def identify(server: TorchServe, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run scripts/identify against the servers whose home this is."""
    home = str(server.settings.home)
    command = [sys.executable, str(ROOT / "scripts" / "identify"), *map(str, arguments), "--home", home]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def without_times(reply: str) -> list[object]:
    return [json.loads(line) for line in reply.splitlines()]


def test_both_doors_give_the_same_answers(gateway: str, demo: TorchServe) -> None:
    through, past = (identify(demo, "--json", *way, *SAMPLES) for way in ([], ["--torchserve"]))
    assert through.returncode == past.returncode == 0, through.stderr + past.stderr
    assert without_times(through.stdout) == without_times(past.stdout)
    assert "Gold Fish" in through.stdout


@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_options_and_errors_are_understood(gateway: str, demo: TorchServe, torchserve: bool) -> None:
    url, key = (demo.settings.url, demo.token("inference")) if torchserve else (gateway, None)
    errors: list[tuple[type[FishgateError], bytes, dict[str, int]]] = [
        (EmptyImage, b"", {}),
        (UnsupportedImage, b"no picture", {}),
        (DamagedImage, SAMPLE[:2000], {}),
        (InvalidOption, SAMPLE, {"top_k": 0}),
    ]
    with Fishgate(url, key=key, torchserve=torchserve) as fishgate:
        for kind, picture, options in errors:
            with pytest.raises(kind) as caught:
                fishgate.identify(picture, **options)
            assert type(caught.value) is kind
        answer = fishgate.identify(SAMPLE, labels=["Gold fish", "Nile tilapia"], threshold=1.0)
        assert {one.label for one in answer.candidates} == {"Gold fish", "Nile tilapia"}
        assert fishgate.identify(SAMPLE, threshold=1.0).source == "zero_shot"
        with pytest.raises(InvalidOption, match="none_such"):
            fishgate.identify(SAMPLE, species_list="none_such")


def test_a_picture_that_is_far_too_large_is_told_as_such(gateway: str) -> None:
    with Fishgate(gateway) as fishgate, pytest.raises(ImageTooLarge):
        fishgate.identify(SAMPLE + bytes(40_000_000))


def test_many_go_together_and_each_has_its_own_result(gateway: str) -> None:
    pictures = [SAMPLE, b"no picture", SAMPLES[1].read_bytes(), b""] * 20
    with Fishgate(gateway) as fishgate:
        results = list(fishgate.identify_many(pictures, top_k=1))
        alone = [fishgate.identify(path, top_k=1) for path in SAMPLES]
    assert [result.error.code if result.error else None for result in results[:4]] == [
        None,
        "unsupported_image",
        None,
        "empty_image",
    ]
    assert [result.answer for result in results[::2]] == alone * 20


def test_models_and_species_are_told(gateway: str) -> None:
    with Fishgate(gateway) as fishgate:
        models, species = fishgate.models(), fishgate.species()
        fishgate.ping()
        with pytest.raises(InvalidOption):
            fishgate.species("none_such")
    assert models.expert.version == json.loads((ROOT / "models/expert/demo/model_card.json").read_text())["version"]
    assert models.expert.certificate is not None
    assert {one.label for one in models.expert.labels} <= {one.label for one in species}
    assert any(one.family for one in models.expert.labels)


def test_the_twin_answers_alike(gateway: str) -> None:
    async def ask() -> list[object]:
        async with AsyncFishgate(gateway) as fishgate:
            return [result.answer async for result in fishgate.identify_many(SAMPLES)]

    with Fishgate(gateway) as fishgate:
        assert asyncio.run(ask()) == [fishgate.identify(path) for path in SAMPLES]


def test_torchserve_tells_no_models(demo: TorchServe) -> None:
    with Fishgate(demo.settings.url, key=demo.token("inference"), torchserve=True) as fishgate:
        fishgate.ping()
        with pytest.raises(Refused):
            fishgate.models()


def test_a_folder_with_results_ranks_and_sheet(gateway: str, demo: TorchServe, tmp_path: Path) -> None:
    for number, sample in enumerate(SAMPLES * 10):
        (tmp_path / f"{number:02}.jpg").write_bytes(sample.read_bytes())
    (tmp_path / "cut.jpg").write_bytes(SAMPLE[:2000])
    out, sheet = tmp_path / "results.csv", tmp_path / "sheet.html"
    arguments = (tmp_path, "--out", out, "--sheet", sheet, "--rank", "family")
    done = identify(demo, *arguments)
    assert done.returncode == 1, done.stderr
    found = {Path(row["path"]).name: row for row in rows(out)}
    assert len(found) == 21
    assert found["cut.jpg"]["error_code"] == "damaged_image"
    assert (found["00.jpg"]["taxon"], found["00.jpg"]["taxon_rank"]) == ("Cyprinidae", "family")
    assert sheet.read_text().count("data:image/jpeg") >= 20
    again = identify(demo, *arguments)
    assert "20 pictures are done, 1 are left" in again.stderr
    provenance = json.loads((tmp_path / "results.csv.provenance.json").read_text())
    assert provenance["models"]["expert"]["certificate"]["risk"] == 0.02
