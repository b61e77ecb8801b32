"""The pure parts of the gateway's benchmarks: what is counted as what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.distinct import numbered
from benchmarks.load import Run, Sample
from benchmarks.measure_gateway import Round, outcome_from, round_from
from benchmarks.measure_gateway_losses import Mixture, Reading, grown_mb, lost, wrongly_answered
from benchmarks.measure_gateway_losses import outcome_from as losses_outcome
from benchmarks.outcome import MeasurementError
from benchmarks.pictures import bad_requests, bright_picture, dark_picture
from benchmarks.processor_time import spent_s
from benchmarks.quick_client import Sent
from fishgate.images import open_picture


def answered(index: int, *, started_s: float = 0.0, seconds: float = 0.01, deferred: bool = False) -> Sample:
    return Sample(index, seconds, {"deferred": deferred, "degraded": False}, None, started_s)


def failed(index: int, failure: str) -> Sample:
    return Sample(index, 0.01, None, failure)


def test_numbered_pictures_differ_in_their_bytes_and_in_nothing_else() -> None:
    picture = bright_picture()
    first, second = numbered(picture, 1), numbered(picture, 2**63)
    assert len({picture, first, second}) == 3
    assert np.array_equal(open_picture(first), open_picture(picture))
    assert np.array_equal(open_picture(second), open_picture(picture))


def test_only_a_jpeg_can_be_numbered() -> None:
    with pytest.raises(ValueError, match="begin with '8950'"):
        numbered(b"\x89PNG", 1)


def a_round(samples: list[Sample]) -> Round:
    sent = Sent(Run(samples, seconds=12.0), client_cpu_s=3.0)
    return round_from("gateway", sent, {"gateway": 1.0}, warm_up_s=2.0, until_s=12.0)


def test_a_round_leaves_its_warm_up_and_its_draining_out() -> None:
    early = [answered(i, started_s=1.0, seconds=0.5) for i in range(40)]
    steady = [answered(100 + i, started_s=2.0 + i / 2, seconds=0.01) for i in range(20)]
    late = [answered(200, started_s=11.9, seconds=1.0)]
    found = a_round([*early, *steady, *late])
    assert found.per_second == pytest.approx(2.0)
    assert found.p50_ms == pytest.approx(10.0)
    assert found.client_share == pytest.approx(0.25)
    assert found.cpu_ms == {"gateway": pytest.approx(1000 / 61)}


def test_a_round_is_judged_by_its_confident_pictures() -> None:
    confident = [answered(i, started_s=3.0, seconds=0.02) for i in range(3)]
    found = a_round([*confident, answered(9, started_s=3.0, seconds=5.0, deferred=True), failed(10, "503 gone")])
    assert (found.p99_ms, found.deferred, found.lost) == (pytest.approx(20.0), 0.25, 1)


def test_a_door_that_answers_nothing_is_no_result() -> None:
    with pytest.raises(MeasurementError, match="gateway answered nothing: 503 gone"):
        a_round([failed(0, "503 gone")])


def rounds(ours: list[float], theirs: list[float], *, deferred: float) -> list[Round]:
    one = Round("gateway", 0.0, 10.0, 30.0, 0, 0, deferred, {}, 0.3)
    return [
        replace(one, door=door, per_second=rate)
        for pair in zip(ours, theirs, strict=True)
        for door, rate in zip(("gateway", "by_hand"), pair, strict=True)
    ]


@pytest.mark.parametrize(
    ("confident", "deferred", "lost_ones", "is_reached"),
    [(750.0, 190.0, 0, True), (740.0, 190.0, 0, False), (750.0, 189.0, 0, False), (750.0, 190.0, 1, False)],
    ids=["reached", "slow", "slow when deferred", "lost"],
)
def test_both_ratios_are_judged(confident: float, deferred: float, lost_ones: int, is_reached: bool) -> None:
    quick = rounds([confident, confident, 1.0], [1000.0, 1000.0, 1000.0], deferred=0.0)
    slow = rounds([deferred] * 3, [200.0] * 3, deferred=0.18)
    outcome = outcome_from([replace(quick[0], lost=lost_ones), *quick[1:], *slow])
    assert outcome.figures["ratio"] == pytest.approx(confident / 1000)
    assert outcome.figures["ratio_deferred"] == pytest.approx(deferred / 200)
    assert outcome.is_reached is is_reached


def test_processor_time_is_what_was_added() -> None:
    assert spent_s({"java": 1.0, "expert": 2.0}, {"java": 1.5, "expert": 2.0}) == {"java": 0.5, "expert": 0.0}


def test_the_mixture_is_what_was_asked_for() -> None:
    mixture = Mixture(deferred=0.1, bad=0.05)
    codes = [mixture.code(index) for index in range(1000)]
    assert sum(code is not None for code in codes) == 50
    assert {code for code in codes if code} == {kind.code for kind in bad_requests()}
    bodies = [mixture.body(index) for index in range(1000) if mixture.code(index) is None]
    assert len(set(bodies)) == 950  # type: ignore[arg-type]
    dark = len(numbered(dark_picture(), 0))
    assert sum(len(body) == dark for body in bodies) == pytest.approx(95, abs=5)


def test_bad_requests_carry_what_their_code_is_for() -> None:
    mixture = Mixture(deferred=0.0, bad=0.5)
    codes = {kind.body if isinstance(kind.body, bytes) else kind.name: kind.code for kind in bad_requests()}
    for index in range(100):
        body = mixture.body(index)
        if mixture.code(index) and isinstance(body, bytes):
            assert codes[body] == mixture.code(index)


def numbers_of(mixture: Mixture, *, bad: bool) -> list[int]:
    return [index for index in range(200) if (mixture.code(index) is not None) is bad]


def run_of(mixture: Mixture, **changed: Any) -> Run:
    """A run in which all is well, but for the changed samples by number."""
    samples = {index: answered(index) for index in numbers_of(mixture, bad=False)}
    samples |= {index: failed(index, str(mixture.code(index))) for index in numbers_of(mixture, bad=True)}
    samples |= {int(name.removeprefix("n")): sample for name, sample in changed.items()}
    return Run([samples[index] for index in sorted(samples)], seconds=1.0)


def readings(first_mb: float, last_mb: float) -> list[Reading]:
    return [Reading(100, first_mb, 20, 9), Reading(1000, last_mb, 20, 9)]


@pytest.mark.parametrize(
    ("change", "last_mb", "java", "is_reached"),
    [
        ("nothing", 110.0, (44, 46), True),
        ("lost", 110.0, (44, 44), False),
        ("wrong code", 110.0, (44, 44), False),
        ("answered", 110.0, (44, 44), False),
        ("nothing", 125.0, (44, 44), False),
        ("nothing", 110.0, (44, 48), False),
    ],
    ids=["all well", "lost", "wrong code", "a bad one answered", "memory", "threads"],
)
def test_what_makes_a_miss(change: str, last_mb: float, java: tuple[int, int], is_reached: bool) -> None:
    mixture = Mixture(deferred=0.0, bad=0.1)
    good, bad = numbers_of(mixture, bad=False)[5], numbers_of(mixture, bad=True)[2]
    changes = {
        "nothing": {},
        "lost": {f"n{good}": failed(good, "overloaded")},
        "wrong code": {f"n{bad}": failed(bad, "ServerDisconnectedError")},
        "answered": {f"n{bad}": answered(bad)},
    }[change]
    run = run_of(mixture, **changes)
    outcome = losses_outcome(run, mixture, readings(100.0, last_mb), java, {})
    assert outcome.is_reached is is_reached
    assert len(lost(run, mixture)) == (change == "lost")
    assert wrongly_answered(run, mixture).total() == (change in ("wrong code", "answered"))


def test_memory_is_compared_with_that_at_a_tenth() -> None:
    assert grown_mb(readings(100.0, 117.5)) == 17.5
