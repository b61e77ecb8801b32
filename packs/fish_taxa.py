"""Which taxa are fish: the names of their classes, orders and families.

Owns the decision whether a lineage is a fish's, for lists of names in which ranks are missing or
written by different systems. The orders and families stand in ``fish_families.txt``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fishgate.species_list import Row

CLASSES = frozenset(
    {
        "actinopterygii",
        "actinopteri",
        "cladistii",
        "chondrostei",
        "holostei",
        "neopterygii",
        "teleostei",
        "osteichthyes",
        "chondrichthyes",
        "elasmobranchii",
        "holocephali",
        "selachii",
        "sarcopterygii",
        "coelacanthi",
        "coelacanthimorpha",
        "actinistia",
        "dipneusti",
        "dipnoi",
        "dipnomorpha",
        "ceratodontimorpha",
        "myxini",
        "petromyzonti",
        "petromyzontida",
        "cephalaspidomorphi",
        "hyperoartia",
        "cyclostomata",
        "agnatha",
        "pisces",
    }
)
"""The classes of living fish in the systems in use. Some put the land vertebrates into Sarcopterygii, but
no list of species does: there they have classes of their own."""

_TABLE = Path(__file__).parent / "fish_families.txt"


def is_fish(row: Row) -> bool:
    """Tell whether a lineage is a fish's: by its class, or where that is missing by its order or family.

    A name of another phylum is never a fish's: the same word may name an insect there.
    """
    if row.kingdom.casefold() not in ("", "animalia", "metazoa") or row.phylum.casefold() not in ("", "chordata"):
        return False
    if row.class_:
        return row.class_.casefold() in CLASSES
    return row.order.casefold() in orders() or row.family.casefold() in families()


@cache
def orders() -> frozenset[str]:
    """Return the names of the orders of fish, case folded."""
    return frozenset(order.casefold() for order, _ in _lines())


@cache
def families() -> frozenset[str]:
    """Return the names of the families of fish, case folded."""
    return frozenset(family.casefold() for _, members in _lines() for family in members)


def _lines() -> Iterator[tuple[str, list[str]]]:
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            order, _, members = line.partition(":")
            yield order.strip(), members.split()
