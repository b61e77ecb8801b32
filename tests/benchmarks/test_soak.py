"""The pure parts of the soak: its plan, what counts as lost, what counts as flat, and the report."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.measure_soak import Rest, outcome_from, rest_from, shares_of
from benchmarks.outcome import MeasurementError, settings_of
from benchmarks.soak_readings import Reading, Watcher
from benchmarks.soak_report import Soak, write_report
from benchmarks.soak_stage import ROUGH, Disturbance, plan
from benchmarks.soak_traffic import STOPPED_CODE, Kind, Passage
from benchmarks.soak_verdict import GRACE_S, Level, fates, last_life, latency_levels, process_levels, undisturbed
from gateway.drift_shadow import Verdict
from gateway.metrics import Metrics
from tests.gateway.engine_parts import ENOUGH_S

HOUR_S = 3600.0


def test_an_hour_has_its_kills_and_restarts_and_then_its_peace() -> None:
    events = plan(HOUR_S, kill_every_s=60.0)
    assert [event.what for event in events if event.is_restart] == ["gateway", "torchserve"] * 2
    kills = [event.what for event in events if not event.is_restart]
    assert (len(kills), kills[:2]) == (36, ["expert", "zero_shot"])
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert events[-1].at_s <= ROUGH * HOUR_S


def test_nobody_is_killed_if_that_is_wanted() -> None:
    assert [event.what for event in plan(180.0, kill_every_s=0.0)] == ["gateway", "torchserve"] * 2


def options(**changed: float) -> argparse.Namespace:
    shares = {"dark": 0.1, "bad": 0.1, "slow": 0.05, "stopped": 0.05, "aborted": 0.1}
    return argparse.Namespace(**(shares | changed))


def test_what_is_left_is_bright() -> None:
    assert shares_of(options())[Kind.BRIGHT] == pytest.approx(0.6)


@pytest.mark.parametrize("wrong", [{"dark": 0.9}, {"bad": -0.1}], ids=["more than all", "less than none"])
def test_parts_that_do_not_fit_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(MeasurementError, match="must leave some for bright pictures"):
        shares_of(options(**wrong))


def test_the_folder_of_the_report_is_no_setting_of_the_figures() -> None:
    assert settings_of(argparse.Namespace(minutes=3.0, report=Path("/tmp"), record=True)) == {"minutes": 3.0}


RESTART = Disturbance("gateway", 100.0, 110.0, is_restart=True)
KILL = Disturbance("expert", 200.0, 205.0, is_restart=False)

FATES = {  # kind, when, why no answer came, which code it had to be: lost, wrong, refused, excused
    "answered": (Kind.BRIGHT, 10.0, None, None, (0, 0, 0, 0)),
    "lost": (Kind.BRIGHT, 10.0, "overloaded", None, (1, 0, 0, 0)),
    "slow and lost": (Kind.SLOW, 10.0, "request_timeout", None, (1, 0, 0, 0)),
    "lost though only a worker was killed": (Kind.DARK, 201.0, "internal", None, (1, 0, 0, 0)),
    "refused in a restart": (Kind.BRIGHT, 105.0, "ClientConnectorError", None, (0, 0, 1, 0)),
    "refused just after": (Kind.BRIGHT, 110.0 + GRACE_S - 0.1, "overloaded", None, (0, 0, 1, 0)),
    "under way when it began": (Kind.BRIGHT, 99.5, "ServerDisconnectedError", None, (0, 0, 1, 0)),
    "lost after that": (Kind.BRIGHT, 110.0 + GRACE_S + 0.1, "overloaded", None, (1, 0, 0, 0)),
    "bad with its code": (Kind.BAD, 10.0, "empty_image", "empty_image", (0, 0, 0, 0)),
    "bad with another": (Kind.BAD, 10.0, "internal", "empty_image", (0, 1, 0, 0)),
    "bad and answered": (Kind.BAD, 10.0, None, "empty_image", (0, 1, 0, 0)),
    "bad in a restart": (Kind.BAD, 105.0, "ClientConnectorError", "empty_image", (0, 0, 0, 1)),
    "stopped and told": (Kind.STOPPED, 10.0, STOPPED_CODE, STOPPED_CODE, (0, 0, 0, 0)),
    "stopped and not told": (Kind.STOPPED, 10.0, "no reply", STOPPED_CODE, (0, 1, 0, 0)),
    "aborted": (Kind.ABORTED, 10.0, "ConnectionResetError", None, (0, 0, 0, 0)),
}


@pytest.mark.parametrize(("kind", "at_s", "failure", "code", "counts"), FATES.values(), ids=FATES)
def test_what_becomes_of_a_request(
    kind: Kind, at_s: float, failure: str | None, code: str | None, counts: tuple[int, ...]
) -> None:
    found = fates([Passage(kind, at_s, 1.0, failure, code)], [RESTART, KILL])
    assert (found.lost.total(), found.wrong.total(), found.refused, found.excused) == counts


def test_degraded_answers_are_counted() -> None:
    answers = [Passage(Kind.DARK, 1.0, 0.1, is_degraded=flag) for flag in (True, False, True)]
    assert fates(answers, []).degraded == 2


def test_latency_is_that_of_confident_pictures_in_peace() -> None:
    calm = Passage(Kind.BRIGHT, 10.0, 0.01)
    others = [
        Passage(Kind.DARK, 10.0, 0.3),
        Passage(Kind.BRIGHT, 10.0, 0.2, "overloaded"),
        Passage(Kind.BRIGHT, 104.0, 6.0),
        Passage(Kind.BRIGHT, 202.0, 3.0),
    ]
    assert undisturbed([calm, *others], [RESTART, KILL]) == [calm]


def steady(seconds: float, *, last_ms: float = 20.0) -> list[Passage]:
    """A request each second, of 20 ms, and in the last fifth of ``last_ms``."""
    return [
        Passage(Kind.BRIGHT, float(at_s), (last_ms if at_s >= 0.8 * seconds else 20.0) / 1000)
        for at_s in range(int(seconds))
    ]


@pytest.mark.parametrize(
    ("last_ms", "flat"), [(20.0, [True, True]), (24.0, [True, True]), (26.0, [False, True]), (60.0, [False, False])]
)
def test_latency_is_flat_within_limits(last_ms: float, flat: list[bool]) -> None:
    levels = latency_levels(steady(600.0, last_ms=last_ms), [], seconds=600.0)
    assert [(level.what, level.is_flat) for level in levels] == list(zip(("p50", "p99"), flat, strict=True))


def test_a_run_that_is_too_short_is_no_result() -> None:
    with pytest.raises(MeasurementError, match="too few to compare; run longer"):
        latency_levels(steady(50.0), [], seconds=50.0)


def life(
    process: str = "gateway", *, pid: int = 7, begin: int = 0, readings: int = 100, **grows: float
) -> list[Reading]:
    """A process that is read each second; ``grows`` is what each of its measures gains a second."""
    return [
        Reading(
            at_s=float(begin + n),
            process=process,
            pid=pid,
            rss_mb=100.0 + n * grows.get("rss_mb", 0.0),
            threads=int(10 + n * grows.get("threads", 0.0)),
            files=int(30 + n * grows.get("files", 0.0)),
            heap_mb=60.0 + n * grows.get("heap_mb", 0.0) if process == "java" and n % 5 == 0 else None,
        )
        for n in range(readings)
    ]


def verdicts(readings: list[Reading]) -> dict[str, bool]:
    return {level.what: level.is_flat for level in process_levels(readings)}


GROWING = {
    "nothing": ("gateway", {}, set()),
    "memory": ("gateway", {"rss_mb": 0.5}, {"gateway_rss_mb"}),
    "threads": ("java", {"threads": 0.1}, {"java_threads"}),
    "open files": ("expert", {"files": 0.5}, {"expert_files"}),
    "Java's heap": ("java", {"heap_mb": 0.5}, {"java_heap_mb"}),
    "Java's resident memory is told only": ("java", {"rss_mb": 5.0}, set()),
    "sinking is flat": ("gateway", {"rss_mb": -0.9}, set()),
}


@pytest.mark.parametrize(("process", "grows", "found"), GROWING.values(), ids=GROWING)
def test_what_grows_is_found(process: str, grows: dict[str, float], found: set[str]) -> None:
    assert {what for what, is_flat in verdicts(life(process, **grows)).items() if not is_flat} == found


def test_a_warm_up_is_no_growth() -> None:
    warming = [replace(one, rss_mb=40.0) if one.at_s < 19 else one for one in life()]
    assert all(verdicts(warming).values())


def test_only_the_last_life_is_judged() -> None:
    leaking, well = life(pid=1, rss_mb=5.0), life(pid=2, begin=100)
    assert last_life([*leaking, *life("java"), *well], "gateway") == well
    assert all(verdicts([*leaking, *well]).values())


def test_a_life_that_was_hardly_read_is_no_result() -> None:
    with pytest.raises(MeasurementError, match="java was read too seldom to tell heap_mb; run longer"):
        process_levels(life("java", readings=4))


def test_a_process_is_read_and_one_that_is_gone_is_left_out() -> None:
    with Watcher(lambda: {"gateway": os.getpid(), "java": 2**22 + 1}, every_s=0.01, started_s=0.0) as watcher:
        _wait_for(watcher)
    first = watcher.readings[0]
    assert (first.process, first.pid, first.heap_mb) == ("gateway", os.getpid(), None)
    assert min(first.rss_mb, first.threads, first.files) > 0
    assert {one.process for one in watcher.readings} == {"gateway"}


def _wait_for(watcher: Watcher) -> None:
    until_s = time.monotonic() + ENOUGH_S
    while not watcher.readings:
        assert time.monotonic() < until_s, "nothing was read"
        time.sleep(0.005)


def a_soak(**changed: object) -> Soak:
    readings = [*life("gateway", readings=600), *life("java", readings=600), *life("expert", readings=600)]
    whole = Soak(600.0, [*steady(600.0), Passage(Kind.ABORTED, 3.0, 0.1)], readings, [RESTART, KILL])
    return replace(whole, **changed)


NOTHING = Rest(0.0, {"agree": 3})


def test_what_the_gateway_tells_at_rest_is_read() -> None:
    metrics = Metrics()
    for name, value in (("pictures_in_work", 1.0), ("pictures_waiting", 0.0), ("picture_bytes", 500.0)):
        metrics.watch(name, "as the gateway shows it", lambda value=value: value)  # type: ignore[misc]
    metrics.drift.second_opinion(Verdict.AGREE)
    assert rest_from(metrics.text().decode()) == Rest(501.0, {"agree": 1, "disagree": 0, "failed": 0})


def test_metrics_that_do_not_tell_are_no_result() -> None:
    with pytest.raises(MeasurementError, match="do not tell which pictures it holds"):
        rest_from(Metrics().text().decode())


def test_when_all_is_well_it_is_reached() -> None:
    outcome = outcome_from(a_soak(), NOTHING)
    assert outcome.is_reached
    told = {name: outcome.figures[name] for name in ("lost", "gateway_rss_mb", "p50", "kinds", "requests")}
    assert told == {
        "lost": 0,
        "gateway_rss_mb": "100→100",
        "p50": "20.0→20.0",
        "kinds": {"aborted": 1, "bright": 600},
        "requests": 601,
    }


MISSES = {
    "something was lost": ({"passages": [*steady(600.0), Passage(Kind.DARK, 3.0, 0.1, "internal")]}, 0.0),
    "a wrong code": ({"passages": [*steady(600.0), Passage(Kind.BAD, 3.0, 0.1, "internal", "empty_image")]}, 0.0),
    "something grew": ({"readings": [*life("gateway", rss_mb=1.0, readings=600), *life("java", readings=600)]}, 0.0),
    "latency grew": ({"passages": steady(600.0, last_ms=90.0)}, 0.0),
    "the gateway still holds pictures": ({}, 2.0),
}


@pytest.mark.parametrize(("changed", "held"), MISSES.values(), ids=MISSES)
def test_what_makes_a_miss(changed: dict[str, object], held: float) -> None:
    assert not outcome_from(a_soak(**changed), Rest(held, {})).is_reached


def test_the_report_shows_the_verdict_and_all_plots(tmp_path: Path) -> None:
    soak = a_soak(readings=[*life("gateway", rss_mb=1.0, readings=600), *life("java", readings=600)])
    outcome = outcome_from(soak, NOTHING)
    page = write_report(soak, outcome, tmp_path / "report")
    text = page.read_text()
    assert "**Not all of it was reached.**" in text
    assert "| gateway rss | 279.5 MB | 639.5 MB |" in text
    assert "**grew**" in text
    for name in ("memory", "heap", "threads", "files", "latency", "requests"):
        assert f"({name}.png)" in text
        assert (page.parent / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("level", "is_flat"),
    [
        (Level("a", "", 1.0, 3.0, 2.0), True),
        (Level("a", "", 1.0, 3.1, 2.0), False),
        (Level("a", "", 1.0, 9.0, None), True),
    ],
    ids=["just", "too much", "told only"],
)
def test_a_level_is_flat_if_it_grew_by_no_more_than_allowed(level: Level, is_flat: bool) -> None:
    assert level.is_flat is is_flat
