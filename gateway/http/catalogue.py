"""``GET /v1/models`` and ``GET /v1/species``: what the models say of themselves, and what can be named.

Owns the form of both. The engine knows the cards, the folder of lists the lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from fishgate.answer import Source
from fishgate.errors import InvalidOption
from fishgate.list_folder import ListFolder
from fishgate.model_card import ModelCard
from fishgate.options import options_from_fields
from fishgate.record import Record
from fishgate.taxonomy import Rank, Taxon
from gateway.catalogue import Catalogue
from gateway.http.asking import query_fields
from gateway.http.replies import Json
from gateway.service import Service

LIST_PARAMETER = "list"


class Models(Record):
    """The cards of both models as they run now; ``zero_shot`` is null where it cannot be had."""

    expert: ModelCard
    zero_shot: ModelCard | None
    species_lists: tuple[str, ...]


class NamedSpecies(Record):
    """What can be named, and by which models."""

    label: str
    scientific_name: str | None
    rank: Rank | None
    models: tuple[Source, ...]


class AllSpecies(Record):
    """What can be named, each once; the expert's own first, in the order of its labels."""

    species: tuple[NamedSpecies, ...]


class CatalogueRoutes:
    """Answers both requests; a reply is made once and kept for as long as the catalogue is the same."""

    def __init__(self, service: Service, lists: ListFolder) -> None:
        self._engine = service.engine
        self._lists = lists
        self._of: Catalogue | None = None
        self._replies: dict[str | None, bytes] = {}

    async def models(self, request: Request) -> Response:
        """Tell which models run."""
        _only_known(query_fields(request), allowed=())
        catalogue = await self._engine.catalogue()
        told = Models(expert=catalogue.expert, zero_shot=catalogue.zero_shot, species_lists=catalogue.species_lists)
        return Json(told.model_dump_json(by_alias=True, exclude_none=False).encode())

    async def species(self, request: Request) -> Response:
        """Tell what can be named: by the models themselves, or of a list."""
        fields = query_fields(request)
        _only_known(fields, allowed=(LIST_PARAMETER,))
        name = fields.get(LIST_PARAMETER)
        catalogue = await self._engine.catalogue()
        if catalogue is not self._of:
            self._of, self._replies = catalogue, {}
        if name not in self._replies:
            told = AllSpecies(species=tuple(self._named(catalogue, name)))
            self._replies[name] = told.model_dump_json().encode()
        return Json(self._replies[name])

    def _named(self, catalogue: Catalogue, name: str | None) -> Iterable[NamedSpecies]:
        if name is None:
            return _of_models(catalogue)
        # Read as the option of a request is read: the same names are allowed, the same is said of a wrong one.
        picked = self._lists.picked(options_from_fields({"species_list": name}))
        if picked is None:
            raise InvalidOption(f"{LIST_PARAMETER} must name a list")
        return _of_list(picked, catalogue.expert)


def _of_models(catalogue: Catalogue) -> Iterable[NamedSpecies]:
    zero_shot = catalogue.zero_shot.taxa if catalogue.zero_shot else ()
    taxa = {Source.EXPERT: catalogue.expert.taxa, Source.ZERO_SHOT: zero_shot}
    known = {model: {_identity(taxon) for taxon in taxa[model]} for model in taxa}
    told: set[str] = set()
    for taxon in (*catalogue.expert.taxa, *zero_shot):
        identity = _identity(taxon)
        if identity not in told:
            told.add(identity)
            yield _named_species(taxon, [model for model in known if identity in known[model]])


def _of_list(species: Sequence[Taxon], expert: ModelCard) -> Iterable[NamedSpecies]:
    known = set(map(_identity, expert.taxa))
    for taxon in species:
        models = [Source.EXPERT] if _identity(taxon) in known else []
        yield _named_species(taxon, [*models, Source.ZERO_SHOT])


def _identity(taxon: Taxon) -> str:
    """Return what makes two labels mean the same: the scientific name, or the label where there is none."""
    return (taxon.scientific_name or taxon.label).casefold()


def _named_species(taxon: Taxon, models: Sequence[Source]) -> NamedSpecies:
    return NamedSpecies(label=taxon.label, scientific_name=taxon.scientific_name, rank=taxon.rank, models=tuple(models))


def _only_known(fields: dict[str, str], *, allowed: tuple[str, ...]) -> None:
    unknown = sorted(set(fields) - set(allowed))
    if unknown:
        told = f"allowed: {', '.join(allowed)}" if allowed else "there are none here"
        raise InvalidOption(f"unknown parameter {unknown[0][:50]!r}; {told}")
