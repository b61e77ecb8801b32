"""The packs in the repository: they load, their labels fit, and known fish come back by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fishgate.device import Device
from fishgate.expert import Expert, load_expert
from fishgate.zero_shot import ZeroShot, load_zero_shot
from training.photos import EXPERT, OTHER_SPECIES, of_source, read_manifest, read_pixels
from training.species import candidates_of
from training.splits import TRAINING_SOURCES, Fractions, Split, split_by_group
from training.taxa import index_of_labels, read_expert_taxa, read_fish_facts

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
EXPERT_FOLDER = ROOT / "models" / "expert" / "demo"
ZERO_SHOT_FOLDER = ROOT / "models" / "zero_shot" / "demo"
MAX_BYTES_OF_BOTH = 27_000_000
SAMPLE = 60  # photographs that are tried, evenly from all that were kept back

needs_photos = pytest.mark.skipif(
    not (SHARED / "photos" / "manifest.csv").is_file(), reason="the photographs in ../shared/photos are absent"
)


@pytest.fixture(scope="module")
def expert() -> Expert:
    return load_expert(EXPERT_FOLDER, Device("cpu"))


@pytest.fixture(scope="module")
def zero_shot() -> ZeroShot:
    return load_zero_shot(ZERO_SHOT_FOLDER, Device("cpu"))


def test_zero_shot_knows_the_classes_of_the_expert_and_more(expert: Expert, zero_shot: ZeroShot):
    assert len(expert.card.taxa) == 40
    assert zero_shot.card.taxa[:40] == expert.card.taxa
    assert len(zero_shot.card.taxa) == 145


def test_thresholds_were_chosen_and_explained(expert: Expert, zero_shot: ZeroShot):
    for card in (expert.card, zero_shot.card):
        assert 0 < card.gate.threshold < 1
        assert "of the accepted answers are wrong" in card.gate.evidence


def test_the_gate_of_the_expert_is_certified(expert: Expert):
    certificate = expert.card.gate.certificate
    assert certificate is not None
    assert (certificate.risk, certificate.confidence) == (0.02, 0.95)
    assert certificate.coverage >= 0.7


def test_zero_shot_keeps_back_what_the_expert_keeps_back(expert: Expert, zero_shot: ZeroShot):
    recipes = [card.training["recipe"] for card in (expert.card, zero_shot.card)]
    assert recipes[0]["seed"] == recipes[1]["seed"]
    for key in ("sources", "validation", "calibration", "test"):
        assert recipes[0]["data"][key] == recipes[1]["data"][key]


def test_both_packs_are_small():
    sizes = [path.stat().st_size for folder in (EXPERT_FOLDER, ZERO_SHOT_FOLDER) for path in folder.iterdir()]
    assert sum(sizes) < MAX_BYTES_OF_BOTH


def test_no_source_for_testing_was_trained_on(expert: Expert):
    assert set(expert.card.training["sources"]) == set(TRAINING_SOURCES)


@needs_photos
def test_labels_are_those_of_the_lists(expert: Expert, zero_shot: ZeroShot):
    taxa = read_expert_taxa(SHARED / "lists" / "expert_taxonomy.csv")
    assert list(expert.card.taxa) == taxa
    subjects = [photo.subject for photo in of_source(read_manifest(SHARED / "photos"), OTHER_SPECIES)]
    candidates = candidates_of(taxa, subjects, read_fish_facts(SHARED / "lists" / "fishbase_taxa.csv"))
    assert zero_shot.card.taxa == candidates.taxa


@needs_photos
def test_kept_back_fish_come_back_by_name(expert: Expert):
    photos = of_source(read_manifest(SHARED / "photos"), EXPERT, *TRAINING_SOURCES)
    facts = expert.card.training["recipe"]["data"]
    fractions = Fractions(*(facts[name] for name in ("validation", "calibration", "test")))
    kept_back = split_by_group(photos, seed=expert.card.training["seed"], fractions=fractions)[Split.TEST]
    # Of these the figures leave out the near-duplicates of what was trained on.
    assert len(kept_back) >= expert.card.metrics["all_kept_back"]["photographs"] > 400
    sample = kept_back[:: len(kept_back) // SAMPLE]
    pixels = [read_pixels(photo, SHARED / "photos", expert.card.preprocessing) for photo in sample]
    index_of = index_of_labels(expert.card.taxa)
    answers = zip(sample, expert.predict(pixels), strict=True)
    is_right = [int(shares.argmax()) == index_of[photo.subject.casefold()] for photo, shares in answers]
    stated = expert.card.metrics["kept_back"]["kaggle31"]["accuracy"]
    assert float(np.mean(is_right)) > stated - 0.15
