"""Drift: which pictures count, what they are held against, and that no client pays for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fishgate.gate_card import Certificate
from fishgate.options import Options
from gateway.breaker import BreakerRule
from gateway.drift import DriftMonitor
from gateway.drift_shadow import Shadow, ShadowRule, Verdict
from gateway.identifier import EngineSettings, Identifier
from gateway.metrics import Metrics
from gateway.running import engine_settings
from gateway.settings import Settings
from tests.gateway.engine_parts import BRIGHT, DARK, ENOUGH_S, QUICK, RecordingObserver, in_s, until
from tests.gateway.torchserve_stand_in import EXPERT, StandIn, running, toy_card

PLAIN = Options()
ALWAYS = ShadowRule(share=1.0, after_s=0.001, rest=0.0)


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running(species_lists=["lake"]) as stand_in:
        yield stand_in


class RecordingDrift:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.judgements: list[tuple[float, float, bool]] = []
        self.coverages: list[float | None] = []
        self.verdicts: list[Verdict | None] = []

    def judged(self, *, certainty: float, confidence: float, accepted: bool) -> None:
        self.judgements.append((certainty, confidence, accepted))

    def certified(self, coverage: float | None) -> None:
        self.coverages.append(coverage)

    def second_opinion(self, verdict: Verdict | None) -> None:
        self.verdicts.append(verdict)


@asynccontextmanager
async def identifier_for(
    server: StandIn, drift: RecordingDrift, observer: RecordingObserver | None = None, **settings: Any
) -> AsyncIterator[Identifier]:
    quick = {"expert": QUICK, "zero_shot": QUICK, "shadow": ALWAYS, **settings}
    identifier = Identifier(EngineSettings(server.url, **quick), observer, drift=drift)
    await identifier.start()
    try:
        yield identifier
    finally:
        await identifier.close()


async def ask(identifier: Identifier, picture: bytes, options: Options = PLAIN) -> str | None:
    answer = await identifier.identify(picture, options, deadline_s=in_s(ENOUGH_S), request_id="one")
    return answer.label


COUNTED = {
    "accepted": (BRIGHT, PLAIN, [(0.95, 0.95, True)]),
    "deferred": (DARK, PLAIN, [(0.3, 0.42, False)]),
    "the client's own number of candidates": (BRIGHT, Options(top_k=1), [(0.95, 0.95, True)]),
    "the client's own threshold": (DARK, Options(threshold=0.1), []),
    "the client's own names": (BRIGHT, Options(labels=("Pike",)), []),
}


@pytest.mark.parametrize(("picture", "options", "judgements"), COUNTED.values(), ids=COUNTED)
def test_pictures_count_that_the_certificate_speaks_of(
    server: StandIn, picture: bytes, options: Options, judgements: list[tuple[float, float, bool]]
) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        async with identifier_for(server, drift) as identifier:
            await ask(identifier, picture, options)

    asyncio.run(story())
    assert drift.judgements == judgements


def test_remembered_answers_and_probes_do_not_count(server: StandIn) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        async with identifier_for(server, drift) as identifier:
            await ask(identifier, BRIGHT)
            await ask(identifier, BRIGHT)
            await identifier.probe()

    asyncio.run(story())
    assert len(drift.judgements) == 1


def test_zero_shot_is_asked_about_accepted_pictures_alone(server: StandIn) -> None:
    drift, observer = RecordingDrift(), RecordingObserver()

    async def story() -> None:
        async with identifier_for(server, drift, observer) as identifier:
            assert await ask(identifier, DARK) == "Pike"
            assert await ask(identifier, BRIGHT) == "Tilapia"
            await until(lambda: bool(drift.verdicts))

    asyncio.run(story())
    assert drift.verdicts == [Verdict.DISAGREE]
    assert server.zero_shot.packets == [["one"], ["shadow"]]
    assert observer.stages["zero_shot"] == 1  # the client's own


def test_no_client_waits_for_a_second_opinion(server: StandIn) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        server.zero_shot.hold.clear()
        async with identifier_for(server, drift, cache_bytes=0) as identifier:
            assert await ask(identifier, BRIGHT) == "Tilapia"
            await until(lambda: bool(server.zero_shot.packets))
            assert await ask(identifier, BRIGHT) == "Tilapia"
            server.zero_shot.hold.set()

    asyncio.run(story())


def test_deferred_pictures_are_sent_though_a_second_opinion_is_under_way(server: StandIn) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        server.zero_shot.hold.clear()
        async with identifier_for(server, drift) as identifier:
            await ask(identifier, BRIGHT)
            await until(lambda: len(server.zero_shot.packets) == 1)
            deferred = asyncio.create_task(ask(identifier, DARK))
            await until(lambda: len(server.zero_shot.packets) == 2)
            server.zero_shot.hold.set()
            assert await deferred == "Pike"

    asyncio.run(story())


def test_while_zero_shot_has_work_a_second_opinion_waits(server: StandIn) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        server.zero_shot.hold.clear()
        async with identifier_for(server, drift) as identifier:
            deferred = asyncio.create_task(ask(identifier, DARK))
            await until(lambda: len(server.zero_shot.packets) == 1)
            await ask(identifier, BRIGHT)
            await asyncio.sleep(0.05)
            assert (drift.verdicts, server.zero_shot.packets) == ([], [["one"]])
            server.zero_shot.hold.set()
            await deferred
            await until(lambda: bool(drift.verdicts))

    asyncio.run(story())
    assert server.zero_shot.packets == [["one"], ["shadow"]]


def test_a_zero_shot_that_is_left_in_peace_is_not_asked(server: StandIn) -> None:
    drift = RecordingDrift()
    server.zero_shot.fail_next = 1

    async def story() -> None:
        rule = BreakerRule(failures=1, rest_s=1e6)
        shadow = replace(ALWAYS, patience_s=0.0)
        async with identifier_for(server, drift, zero_shot_limit_s=0.3, breaker=rule, shadow=shadow) as identifier:
            server.zero_shot.fail_next = 10**6
            await ask(identifier, DARK)
            asked = len(server.zero_shot.packets)
            await ask(identifier, BRIGHT)
            await until(lambda: bool(drift.verdicts))
            assert (drift.verdicts, len(server.zero_shot.packets)) == ([None], asked)

    asyncio.run(story())


def test_failed_second_opinions_do_not_open_the_breaker(server: StandIn) -> None:
    drift, observer = RecordingDrift(), RecordingObserver()
    server.zero_shot.fail_next = 3

    async def story() -> None:
        rule = BreakerRule(failures=1)
        async with identifier_for(server, drift, observer, breaker=rule, cache_bytes=0) as identifier:
            for told in (1, 2, 3):
                await ask(identifier, BRIGHT)
                await until(lambda told=told: len(drift.verdicts) == told)  # type: ignore[misc]
                await asyncio.sleep(0)

    asyncio.run(story())
    assert (drift.verdicts, observer.states) == ([Verdict.FAILED] * 3, [])


def test_it_is_not_asked_unless_that_is_set(server: StandIn) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        async with identifier_for(server, drift, cache_bytes=0, shadow=ShadowRule()) as identifier:
            for _ in range(20):
                await ask(identifier, BRIGHT)

    asyncio.run(story())
    assert (drift.verdicts, server.zero_shot.packets) == ([], [])


def test_the_settings_tell_how_many_are_asked_about() -> None:
    assert engine_settings(Settings()).shadow.share == 0.01
    assert engine_settings(Settings(shadow_share=0.25, zero_shot_limit_s=7.0)).shadow == ShadowRule(
        share=0.25, limit_s=7.0
    )


CERTIFICATE = Certificate(
    risk=0.1,
    confidence=0.95,
    method="a toy",
    pictures=100,
    accepted=80,
    wrong=2,
    coverage=0.8,
    data_sha256="0" * 64,
    model_sha256="0" * 64,
)


@pytest.mark.parametrize(("certificate", "told"), [(CERTIFICATE, 0.8), (None, None)], ids=["with", "without"])
def test_the_cards_certificate_is_told(certificate: Certificate | None, told: float | None) -> None:
    drift, card = RecordingDrift(), toy_card(EXPERT)
    monitor = DriftMonitor(_idle_shadow(drift), drift)
    monitor.described(card.model_copy(update={"gate": card.gate.model_copy(update={"certificate": certificate})}))
    assert drift.coverages == [told]


def test_the_card_is_looked_at_whenever_it_is_asked_for(server: StandIn) -> None:
    drift = RecordingDrift()

    async def story() -> None:
        async with identifier_for(server, drift) as identifier:
            await identifier.catalogue()

    asyncio.run(story())
    assert drift.coverages
    assert set(drift.coverages) == {None}  # the toy has no certificate


def test_everything_reaches_the_gateways_metrics(server: StandIn) -> None:
    metrics = Metrics()

    async def story() -> None:
        settings = EngineSettings(server.url, expert=QUICK, zero_shot=QUICK, shadow=replace(ALWAYS))
        identifier = Identifier(settings, metrics, drift=metrics.drift)
        await identifier.start()
        await ask(identifier, BRIGHT)
        await until(lambda: b'shadow_total{result="disagree"} 1.0' in metrics.text())
        await identifier.close()

    asyncio.run(story())
    assert b"fishgate_gateway_expert_asked_total 1.0" in metrics.text()


def _idle_shadow(drift: RecordingDrift) -> Shadow:
    return Shadow(_Nowhere(), ShadowRule(), is_free=lambda: False, tell=drift.second_opinion)


class _Nowhere:
    async def post(self, model: str, body: bytes) -> bytes:
        raise AssertionError("nobody asks it")

    def spread(self, model: str) -> int:
        return 1
