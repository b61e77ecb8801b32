"""Which species the sources of other fish mean by their own names.

Owns the hand-written readings of names that are common, misspelt, outdated or wider than a
species, and the candidates of zero-shot that come of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fishgate.taxonomy import Rank, Taxon
from training.taxa import FishFacts, fish_taxon, index_of_labels


@dataclass(frozen=True)
class Reading:
    """What a source's name means: a taxon, and the label to show for it.

    Without a label the species list's common name is shown.
    """

    scientific_name: str
    rank: Rank = Rank.SPECIES
    label: str = ""


READINGS = {
    # Names of species in another spelling, or from before they were moved to another genus.
    "Halichoeres trispilus": Reading("Halichoeres trispilus", label="Triplespot wrasse"),  # misspelt in the list
    "Amblygobius hectori": Reading("Koumansetta hectori"),
    "Neocirrhitus armatus": Reading("Neocirrhites armatus"),
    "Paraglyphidodon oxyodon": Reading("Neoglyphidodon oxyodon"),
    "Pseudochromis diadema": Reading("Pictichromis diadema"),
    "Pseudochromis porphyreus": Reading("Pictichromis porphyrea"),
    "Synchiropus ocellatus": Reading("Neosynchiropus ocellatus"),
    # Common names of species.
    "barracouta": Reading("Thyrsites atun"),
    "black crappie": Reading("Pomoxis nigromaculatus"),
    "coho": Reading("Oncorhynchus kisutch"),
    "common carp": Reading("Cyprinus carpio"),
    "freshwater drum": Reading("Aplodinotus grunniens"),
    "koi Cyprinus rubrofuscus": Reading("Cyprinus rubrofuscus", label="Koi"),
    "largemouth bass": Reading("Micropterus salmoides", label="Largemouth bass"),
    "rainbow trout": Reading("Oncorhynchus mykiss"),
    "rock bass": Reading("Ambloplites rupestris"),
    "rock beauty": Reading("Holacanthus tricolor"),
    "smallmouth bass": Reading("Micropterus dolomieu"),
    "spotted bass": Reading("Micropterus punctulatus"),
    "striped bass": Reading("Morone saxatilis"),
    "tench": Reading("Tinca tinca"),
    # Names wider than a species.
    "Amphirion frenatus+Amphirion melanopus": Reading("Amphiprion", Rank.GENUS, "Clownfish"),
    "Bothus spp": Reading("Bothus", Rank.GENUS, "Left-eye flounder"),
    "Gymnura spp": Reading("Gymnura", Rank.GENUS, "Butterfly ray"),
    "hammerhead": Reading("Sphyrna", Rank.GENUS, "Hammerhead shark"),
    "kuwe trevally": Reading("Caranx", Rank.GENUS, "Trevally"),
    "lema mackerel": Reading("Rastrelliger", Rank.GENUS, "Indian mackerel"),
    "lionfish": Reading("Pterois", Rank.GENUS, "Lionfish"),
    "stingray": Reading("Dasyatidae", Rank.FAMILY, "Stingray"),
}


@dataclass(frozen=True)
class Candidates:
    """Zero-shot's taxa in output order, and the output of each subject by its casefolded name."""

    taxa: tuple[Taxon, ...]
    index_of: Mapping[str, int]


def candidates_of(expert_taxa: Sequence[Taxon], subjects: Sequence[str], facts: Mapping[str, FishFacts]) -> Candidates:
    """Return the expert's taxa followed by those of the subjects, each once."""
    taxa = list(expert_taxa)
    index_of = index_of_labels(taxa)
    known = {taxon.scientific_name: i for i, taxon in enumerate(taxa) if taxon.scientific_name}
    for subject in sorted(set(subjects)):
        taxon = resolve(subject, facts)
        name = taxon.scientific_name or taxon.label
        if name not in known:
            known[name] = len(taxa)
            taxa.append(taxon)
        index_of[subject.casefold()] = known[name]
    return Candidates(_with_different_labels(taxa), index_of)


def resolve(subject: str, facts: Mapping[str, FishFacts]) -> Taxon:
    """Return the taxon of a source's name; raise ValueError if neither table nor list knows it."""
    reading = READINGS.get(subject, Reading(subject))
    name = reading.scientific_name
    described = facts.get(name) if reading.rank is Rank.SPECIES else _one_of(name, reading.rank, facts)
    if described is None:
        raise ValueError(f"{subject!r} is no name of the species list; add what it means to READINGS")
    label = reading.label or _capitalised(described.common_name) or name
    return fish_taxon(label, name, reading.rank, described)


def _one_of(name: str, rank: Rank, facts: Mapping[str, FishFacts]) -> FishFacts | None:
    """Return some species of a genus or family, which share the higher ranks."""
    return next((fact for fact in facts.values() if name == (fact.genus if rank is Rank.GENUS else fact.family)), None)


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _with_different_labels(taxa: Sequence[Taxon]) -> tuple[Taxon, ...]:
    counts = Counter(taxon.label.casefold() for taxon in taxa)
    return tuple(
        taxon.model_copy(update={"label": f"{taxon.label} ({taxon.scientific_name})"})
        if counts[taxon.label.casefold()] > 1
        else taxon
        for i, taxon in enumerate(taxa)
    )
