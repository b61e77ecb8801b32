"""The main job: pictures through the workflow of a real server."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest
import requests

from server.bootstrap import ROOT
from server.management import TorchServe
from tests.e2e.conftest import SAMPLE

API = ROOT / "docs" / "api"
ANSWER = json.loads((API / "answer.schema.json").read_text())
ERROR = json.loads((API / "error.schema.json").read_text())
PHOTOS = ROOT.parent / "shared" / "photos"


def post(server: TorchServe, **kwargs: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.token('inference')}"}
    return requests.post(f"{server.settings.url}/wfpredict/fish", headers=headers, timeout=60, **kwargs)  # type: ignore[arg-type]


def test_raw_body_is_identified(demo: TorchServe) -> None:
    answer = post(demo, data=SAMPLE).json()
    jsonschema.validate(answer, ANSWER)
    assert answer["label"] == "Gold Fish"
    assert answer["scientific_name"] == "Carassius auratus"
    assert len(answer["candidates"]) == 5
    assert answer["models"]["expert"].startswith("demo")


def test_options_travel_as_form_fields(demo: TorchServe) -> None:
    form = {"top_k": "2", "threshold": "0"}
    answer = post(demo, files={"data": SAMPLE}, data=form).json()
    assert (answer["source"], answer["deferred"], len(answer["candidates"])) == ("expert", False, 2)
    assert answer["expert"]["threshold"] == 0.0


def test_threshold_one_defers_to_zero_shot(demo: TorchServe) -> None:
    answer = post(demo, files={"data": SAMPLE}, data={"threshold": "1"}).json()
    jsonschema.validate(answer, ANSWER)
    assert (answer["source"], answer["deferred"], answer["degraded"]) == ("zero_shot", True, False)
    assert answer["models"]["zero_shot"].startswith("demo")


def test_own_labels_are_the_only_candidates(demo: TorchServe) -> None:
    labels = ["Atlantic cod", "Nile perch", "Arapaima"]
    answer = post(demo, files={"data": SAMPLE}, data={"labels": json.dumps(labels)}).json()
    assert answer["source"] == "zero_shot"
    assert {candidate["label"] for candidate in answer["candidates"]} == set(labels)
    assert sum(candidate["confidence"] for candidate in answer["candidates"]) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("path", sorted((API / "examples").glob("*.json")), ids=lambda path: path.stem)
def test_documented_example_gives_the_documented_reply(demo: TorchServe, path: Path) -> None:
    example = json.loads(path.read_text())
    picture = (ROOT / example["picture"]).read_bytes() if example["picture"] else b""
    reply = post(demo, files={"data": ("picture", picture)}, data=example["form"]).json()
    jsonschema.validate(reply, ERROR if "error" in example["reply"] else ANSWER)
    assert rounded(reply) == rounded(example["reply"])


def rounded(value: object) -> object:
    """Numbers to two places: processors differ in the last digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 2) if isinstance(value, float) else value


def test_request_that_claims_to_be_direct_is_refused(demo: TorchServe) -> None:
    headers = {"Authorization": f"Bearer {demo.token('inference')}", "explain": "False"}
    reply = requests.post(f"{demo.settings.url}/wfpredict/fish", data=SAMPLE, headers=headers, timeout=60).json()
    assert reply["error"]["code"] == "invalid_option"
    assert "explain" in reply["error"]["message"]


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no ../shared/photos on this machine")
def test_known_fish_come_back_by_name(demo: TorchServe) -> None:
    """One photograph of each class: an off-by-one in the labels would fail nearly all of them."""
    with (PHOTOS / "manifest.csv").open() as file:
        rows = {
            row["expert_class"]: row["path"]
            for row in csv.DictReader(file)
            if row["source"] in ("kaggle31", "seafood11")
        }
    assert len(rows) == 40
    right = [
        label
        for label, path in rows.items()
        if demo.identify((PHOTOS / path).read_bytes(), {"threshold": "0"})["label"].casefold() == label.casefold()
    ]
    assert len(right) >= 32, f"only {len(right)} of 40 by name"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no ../shared/photos on this machine")
def test_species_that_the_expert_has_never_seen_are_named(demo: TorchServe) -> None:
    folder = PHOTOS / "other_species" / "f4k23" / "dascyllus_reticulatus"
    answers = [demo.identify(path.read_bytes(), {"threshold": "1"}) for path in sorted(folder.glob("*.jpg"))[:10]]
    true_names = {"Dascyllus reticulatus", "Dascyllus", "Pomacentridae"}  # species, genus, family
    named = [answer for answer in answers if answer["scientific_name"] in true_names]
    assert len(named) >= 5, [answer["label"] for answer in answers]
    candidates = [{candidate["scientific_name"] for candidate in answer["candidates"]} for answer in answers]
    assert sum("Dascyllus reticulatus" in names for names in candidates) >= 5, candidates
