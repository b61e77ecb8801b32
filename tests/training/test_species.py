"""What the sources' names mean, and the candidates that come of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fishgate.taxonomy import Rank
from tests.training.toy_photos import SPECIES, TAXONOMY
from training.photos import OTHER_SPECIES, of_source, read_manifest
from training.species import READINGS, candidates_of, resolve
from training.taxa import FishFacts, index_of_labels, read_expert_taxa, read_fish_facts

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, FishFacts]:
    (tmp_path / "fish.csv").write_text(SPECIES)
    return read_fish_facts(tmp_path / "fish.csv")


def test_a_common_name_becomes_its_species(facts: dict[str, FishFacts]):
    tench = resolve("tench", facts)
    assert (tench.label, tench.scientific_name, tench.rank) == ("Tench", "Tinca tinca", Rank.SPECIES)
    assert tench.lineage == ("Animalia", "Chordata", "Actinopterygii", "Cypriniformes", "Cyprinidae", "Tinca tinca")


def test_a_name_wider_than_a_species_becomes_its_genus(facts: dict[str, FishFacts]):
    flounder = resolve("Bothus spp", facts)
    assert (flounder.label, flounder.scientific_name, flounder.rank) == ("Left-eye flounder", "Bothus", Rank.GENUS)
    assert flounder.family == "Bothidae"


def test_an_unknown_name_is_refused(facts: dict[str, FishFacts]):
    with pytest.raises(ValueError, match="'Nessie' is no name of the species list; add what it means to READINGS"):
        resolve("Nessie", facts)


def test_a_species_that_is_an_expert_class_is_no_second_candidate(tmp_path: Path, facts: dict[str, FishFacts]):
    (tmp_path / "taxonomy.csv").write_text(TAXONOMY)
    expert = read_expert_taxa(tmp_path / "taxonomy.csv")
    candidates = candidates_of(expert, ["rainbow trout", "Esox lucius", "Esox lucius"], facts)
    assert [taxon.label for taxon in candidates.taxa] == ["Gold Fish", "KnifeFish", "Trout", "Northern pike"]
    assert (candidates.index_of["rainbow trout"], candidates.index_of["esox lucius"]) == (2, 3)


def test_a_class_is_found_however_it_is_spelled(tmp_path: Path):
    (tmp_path / "taxonomy.csv").write_text(TAXONOMY)
    assert index_of_labels(read_expert_taxa(tmp_path / "taxonomy.csv"))["Knifefish".casefold()] == 1


def test_a_taxonomy_with_a_hole_is_refused(tmp_path: Path):
    (tmp_path / "taxonomy.csv").write_text(TAXONOMY.replace("2,Trout", "3,Trout"))
    with pytest.raises(ValueError, match=r"taxonomy\.csv must number its classes 0, 1, 2"):
        read_expert_taxa(tmp_path / "taxonomy.csv")


def test_all_names_of_the_shared_photographs_are_known():
    if not (SHARED / "photos" / "manifest.csv").is_file():
        pytest.skip("the photographs in ../shared/photos are absent")
    facts = read_fish_facts(SHARED / "lists" / "fishbase_taxa.csv")
    subjects = {photo.subject for photo in of_source(read_manifest(SHARED / "photos"), OTHER_SPECIES)}
    candidates = candidates_of(read_expert_taxa(SHARED / "lists" / "expert_taxonomy.csv"), sorted(subjects), facts)
    names = [taxon.label.casefold() for taxon in candidates.taxa]
    assert len(names) == len(set(names)) == 145
    assert set(READINGS) <= subjects
