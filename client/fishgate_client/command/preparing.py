"""All that is found out before the first picture is sent: what is there, what is left, who answers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fishgate_client.catalogue import Models
from fishgate_client.client import Fishgate
from fishgate_client.command.plan import Plan, left, plan
from fishgate_client.command.provenance import Provenance
from fishgate_client.command.result_file import ResultFile
from fishgate_client.command.rows import Rules
from fishgate_client.command.screen import say
from fishgate_client.command.server import Server
from fishgate_client.command.sources import EXTENSIONS, PictureFile, SourceError, Sources
from fishgate_client.command.taxa import Ranking, ranking_from
from fishgate_client.retries import Retries

PATIENCE = Retries(attempts=12, longest_wait_s=10.0)
"""About a minute for each picture: as long as a server takes to be started anew."""

_AT_THE_START = Retries(attempts=3)
_FAR_RANKS = ("family", "order")
"""Ranks that only the server can tell of a species; its genus stands in its name."""


@dataclass(frozen=True)
class Job:
    """A run that may begin. ``results`` is None where nothing is kept."""

    options: argparse.Namespace
    fishgate: Fishgate
    sources: Sources
    results: ResultFile | None
    provenance: Provenance
    plan: Plan
    rules: Rules

    @property
    def pictures(self) -> Iterable[PictureFile]:
        """The pictures that are to be asked."""
        return left(self.sources, self.results.record) if self.results else self.sources


def prepare(options: argparse.Namespace, server: Server, sources: Sources) -> Job:
    """Return the run, its beginning noted; raise RecordError, SourceError, FishgateError or OSError if it cannot be."""
    models = _models(options, server) if options.again else None  # before anything is put aside
    results = ResultFile(options.out, begins_anew=options.again) if options.out or options.sheet else None
    try:
        return _prepared(options, server, sources, results, models)
    except BaseException:
        if results:
            results.abandon()
        raise


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that results depend on."""
    return {
        "top_k": options.top_k,
        "labels": list(options.labels) if options.labels else None,
        "threshold": options.threshold,
        "species_list": options.species_list,
        "rank": options.rank,
        "min_confidence": options.min_confidence or None,
    }


def _prepared(
    options: argparse.Namespace,
    server: Server,
    sources: Sources,
    results: ResultFile | None,
    models: Models | None,
) -> Job:
    provenance = Provenance(results.provenance if results else None, settings_of(options))
    found = plan(sources, results.record, provenance) if results else Plan(to_ask=sum(1 for _ in sources))
    _tell_what_was_found(sources, found)
    ranking = Ranking(options.rank)
    if found.to_ask:
        models = models or _models(options, server)
        ranking = _ranking(options, server, models)
    fishgate = _client(options, server, PATIENCE)
    provenance.begin(
        fishgate.url,
        is_torchserve=options.torchserve,
        models=models,
        to_ask=found.to_ask,
        done_before=found.done,
    )
    if results and found.replaced:
        results.record.drop(found.replaced)
    return Job(options, fishgate, sources, results, provenance, found, Rules(ranking, options.min_confidence))


def _tell_what_was_found(sources: Sources, found: Plan) -> None:
    empty = ", ".join(sources.fruitless[:5])
    if not found.to_ask and not found.done:
        where = f" in {empty}" if empty else ""
        raise SourceError(f"there is no picture{where}; taken are files that end in {', '.join(EXTENSIONS)}")
    if empty:
        say(f"there is no picture in {empty}")
    if found.done:
        say(f"{found.done} pictures are done, {found.to_ask} are left")


def _client(options: argparse.Namespace, server: Server, retries: Retries) -> Fishgate:
    return Fishgate(
        server.url, key=server.key, timeout_s=options.timeout, retries=retries, torchserve=options.torchserve
    )


def _models(options: argparse.Namespace, server: Server) -> Models | None:
    """Find out whether the server is there, and what it runs if it tells that."""
    with _client(options, server, _AT_THE_START) as fishgate:
        if not options.torchserve:
            return fishgate.models()
        fishgate.ping()
        return None


def _ranking(options: argparse.Namespace, server: Server, models: Models | None) -> Ranking:
    if options.rank not in _FAR_RANKS or models is None:
        return Ranking(options.rank)
    taxa = [*models.expert.labels, *(models.zero_shot.labels if models.zero_shot else ())]
    with _client(options, server, _AT_THE_START) as fishgate:
        return ranking_from(options.rank, [*taxa, *fishgate.species(options.species_list)])
