"""An engine without models, which does as a test tells it: the doors are tested on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fishgate.answer import Answer, Candidate, ExpertView, ModelVersions, Source
from fishgate.errors import FishgateError, InvalidOption, TimedOut
from fishgate.images import open_picture
from fishgate.options import Options
from fishgate.taxonomy import Rank
from gateway.catalogue import Catalogue
from gateway.trace import NO_TRACE, Trace
from tests.gateway.torchserve_stand_in import EXPERT, ZERO_SHOT, toy_card


@dataclass(frozen=True)
class Call:
    """One picture that the engine was asked about."""

    picture: bytes
    options: Options
    deadline_s: float
    request_id: str
    trace: Trace


@dataclass
class FakeEngine:
    """Names every picture after its size. ``hold`` keeps all answers back until it is set; ``fail`` is raised."""

    fail: FishgateError | None = None
    probe_fails: FishgateError | None = None
    calls: list[Call] = field(default_factory=list)
    probes: list[bool] = field(default_factory=list)
    cancelled: int = 0
    working: int = 0
    most_working: int = 0
    hold: asyncio.Event | None = None
    started: asyncio.Event | None = None
    also: Callable[[], None] | None = None  # done with each picture
    told: Catalogue | None = None  # instead of CATALOGUE

    async def identify(
        self, picture: bytes, options: Options, *, deadline_s: float, request_id: str, trace: Trace = NO_TRACE
    ) -> Answer:
        self.calls.append(Call(picture, options, deadline_s, request_id, trace))
        size = open_picture(picture).size
        if options.species_list not in (None, *CATALOGUE.species_lists):
            raise InvalidOption(f"unknown species_list {options.species_list!r}")
        self.working += 1
        self.most_working = max(self.most_working, self.working)
        try:
            await self._work(deadline_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.working -= 1
        return toy_answer(f"{size[0]} by {size[1]}", options)

    async def catalogue(self) -> Catalogue:
        if self.fail is not None:
            raise self.fail
        return self.told or CATALOGUE

    async def probe(self, *, only_expert: bool = False) -> None:
        self.probes.append(only_expert)
        if self.probe_fails is not None:
            raise self.probe_fails

    async def _work(self, deadline_s: float) -> None:
        if self.started is not None:
            self.started.set()
        if self.also is not None:
            self.also()
        if self.fail is not None:
            raise self.fail
        if self.hold is not None:
            try:
                await asyncio.wait_for(self.hold.wait(), deadline_s - time.monotonic())
            except asyncio.TimeoutError:
                raise TimedOut("the models did not answer in time") from None


CATALOGUE = Catalogue(toy_card(EXPERT), toy_card(ZERO_SHOT), ("lakes",))


def toy_answer(label: str, options: Options) -> Answer:
    """Return an answer with as many candidates as are asked for."""
    names = options.labels or [label, *(f"fish {number}" for number in range(1, 50))]
    candidates = tuple(
        Candidate(label=name, scientific_name=None, rank=Rank.SPECIES, confidence=round(0.9 / (place + 1), 6))
        for place, name in enumerate(names[: options.top_k])
    )
    return Answer(
        label=candidates[0].label,
        scientific_name=None,
        rank=Rank.SPECIES,
        confidence=0.9,
        source=Source.EXPERT,
        deferred=False,
        low_confidence=False,
        degraded=False,
        candidates=candidates,
        expert=ExpertView(label=label, confidence=0.9, certainty=0.9, threshold=0.5, certificate=None),
        models=ModelVersions(expert="1", zero_shot=None),
    )
