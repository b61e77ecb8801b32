"""The real Prometheus watches a running gateway: every expression has data, and trouble raises its alert.

Durations of the rules are shortened, numbers of pictures and one wait lowered (``tests.deploy.prometheus_parts``),
nothing else; the rules as they are stand in ``test_monitoring_rules.py``. The tests run in the order in which they
stand, for they share one system.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

import pytest
from PIL import Image

from deploy.monitoring.draw_dashboard import Source, draw
from tests.deploy.monitored_system import BRIGHT, DARK, System
from tests.deploy.prometheus_parts import DASHBOARD, Expression, Prometheus, expressions, shorter

MAY_BE_NAN = {"Accepted, against the certificate, B", "fishgate:certificate:gap1h"}
"""The stand-in's card has no certificate."""

DATA = [one for one in expressions() if not one.where.startswith("Fishgate")]
ALERTS = [one for one in expressions() if one.where.startswith("Fishgate")]


def has_value(prometheus: Prometheus, expression: str, value: float) -> bool:
    """Tell whether an expression has this one value."""
    return prometheus.value(expression) == value


def test_both_are_scraped(system: System, prometheus: Prometheus) -> None:
    both = {"fishgate-gateway": ("up", ""), "fishgate-torchserve": ("up", "")}
    prometheus.until(lambda: prometheus.targets() == both, "both targets are up")


def test_nothing_fires_while_all_is_well(system: System, prometheus: Prometheus) -> None:
    system.stream.clients = 4
    prometheus.until(lambda: prometheus.value("fishgate:judged:count7d") > 40, "enough pictures have been judged")
    prometheus.until(lambda: prometheus.value("fishgate:certainty:shift1h") < 0.05, "certainty is as usual")
    assert set(system.stream.codes) == {200}
    prometheus.until(lambda: not prometheus.firing(), "the gateway has been found, and nothing fires any more")
    assert prometheus.query('max_over_time(ALERTS{alertname!="FishgateDown"}[120s])') == []


def test_deferred_pictures_and_other_certainties_are_noticed(system: System, prometheus: Prometheus) -> None:
    system.models.zero_shot.raw_reply = None
    system.stream.pictures = (DARK,)
    expected = {"FishgateDeferralRateDrifting", "FishgateConfidenceShifted"}
    prometheus.until(lambda: expected <= prometheus.firing(), f"{expected} fire")
    prometheus.until(lambda: prometheus.value("fishgate:deferral:share1h") > 0.5, "most pictures are deferred")
    assert prometheus.firing() == expected
    system.stream.pictures = (BRIGHT, DARK)


@pytest.mark.parametrize("expression", DATA, ids=lambda one: one.where)
def test_every_expression_has_data(expression: Expression, system: System, prometheus: Prometheus) -> None:
    def is_there() -> bool:
        values = [value for _, value in prometheus.query(shorter(expression.text))]
        return any(not math.isnan(value) or expression.where in MAY_BE_NAN for value in values)

    prometheus.until(is_there, expression.text, limit_s=20.0)


def test_every_panel_can_be_drawn(system: System, prometheus: Prometheus, tmp_path: Path) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert draw(Source(prometheus.url, minutes=0.5), panels, tmp_path / "dashboard.png") == []
    with Image.open(tmp_path / "dashboard.png") as picture:
        assert picture.width > 1000
        assert len(picture.convert("RGB").getcolors(picture.width * picture.height) or ()) > 100


def test_what_prometheus_refuses_is_not_drawn_as_nothing(prometheus: Prometheus) -> None:
    with pytest.raises(ValueError, match="Prometheus refuses 'sum\\('"):
        Source(prometheus.url, minutes=1.0).series("sum(", "")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one.where)
def test_every_alert_can_be_asked(alert: Expression, prometheus: Prometheus) -> None:
    prometheus.query(alert.text)
    prometheus.query(shorter(alert.text))


def test_a_zero_shot_that_says_otherwise_is_noticed(system: System, prometheus: Prometheus) -> None:
    system.stream.pictures = (BRIGHT,)
    prometheus.until(lambda: "FishgateDisagreementHigh" in prometheus.firing(), "the disagreement is noticed")
    all_of_them = functools.partial(has_value, prometheus, "fishgate:disagreement:share1d", 1.0)
    prometheus.until(all_of_them, "the second opinions of before are past, and all that are left say otherwise")


def test_workers_that_start_again_and_again_are_noticed(system: System, prometheus: Prometheus) -> None:
    restarts = 'fishgate:worker_restarts:count15m{model="fish__expert"}'
    for number in (1.0, 2.0, 3.0):
        assert "FishgateWorkersRestarting" not in prometheus.firing()
        system.page.load_time_ms += 21_000.0
        prometheus.until(functools.partial(has_value, prometheus, restarts, number), f"{number} restarts are seen")
    prometheus.until(lambda: "FishgateWorkersRestarting" in prometheus.firing(), "the restarts are noticed")
    assert [value for _, value in prometheus.query('fishgate:worker_restarts:count15m{model="zero_shot"}')] == [0.0]


def test_a_start_of_all_of_torchserve_is_none_of_its_workers(system: System, prometheus: Prometheus) -> None:
    system.page.load_time_ms += 5_000.0
    system.page.started_s += 900.0
    starts = functools.partial(has_value, prometheus, "fishgate:java_starts:count20m", 1.0)
    prometheus.until(starts, "the start is seen")
    assert prometheus.value('fishgate:worker_restarts:count15m{model="fish__expert"}') <= 3.0
    assert prometheus.value('fishgate:worker_restarts:count15m{model="zero_shot"}') == 0.0


def test_threads_that_stay_are_noticed(system: System, prometheus: Prometheus) -> None:
    system.page.threads += 31
    prometheus.until(lambda: "FishgateJavaThreadsClimbing" in prometheus.firing(), "the threads are noticed")


def test_a_zero_shot_that_is_too_slow_keeps_pictures_waiting(system: System, prometheus: Prometheus) -> None:
    assert "FishgateZeroShotQueueGrowing" not in prometheus.firing()
    system.models.zero_shot.seconds = 0.8  # two packets of eight at a time, so that each picture is there for 1.5 s
    system.stream.pictures = (DARK,)
    system.stream.clients = 30
    prometheus.until(lambda: "FishgateZeroShotQueueGrowing" in prometheus.firing(), "the wait is noticed")
    system.models.zero_shot.seconds = 0.0


def test_a_zero_shot_that_stands_still_is_noticed_until_it_is_back(system: System, prometheus: Prometheus) -> None:
    expected = {"FishgateZeroShotAway", "FishgateNoSecondOpinion"}
    system.stream.pictures = (BRIGHT, DARK)
    prometheus.until(lambda: not expected & prometheus.firing(), f"{expected} do not fire")
    system.models.zero_shot.hold.clear()
    prometheus.until(lambda: expected <= prometheus.firing(), f"{expected} fire")
    prometheus.until(lambda: prometheus.value("fishgate:degraded:share5m") > 0.9, "hardly a picture is answered by it")
    assert set(system.stream.codes) == {200}
    system.models.zero_shot.hold.set()
    over = expected | {"FishgateZeroShotQueueGrowing"}
    prometheus.until(lambda: not over & prometheus.firing(), f"{over} are over")


def test_a_slow_expert_is_noticed_and_takes_all_places(system: System, prometheus: Prometheus) -> None:
    assert not prometheus.firing() & {"FishgateLatencyHigh", "FishgateSaturated"}
    system.models.expert.seconds = 3.0
    system.stream.pictures = (BRIGHT,)
    system.stream.clients = 320
    slow = 'ALERTS{alertname="FishgateLatencyHigh", alertstate="firing", deferred="false"}'
    places = 'ALERTS{alertname="FishgateSaturated", alertstate="firing", of="places"}'
    for alert in (slow, places):
        prometheus.until(functools.partial(has_value, prometheus, alert, 1.0), alert)
    system.models.expert.seconds = 0.0
    system.stream.clients = 4
    over = {"FishgateLatencyHigh", "FishgateSaturated"}
    prometheus.until(lambda: not over & prometheus.firing(), f"{over} are over")


def test_failing_models_are_noticed(system: System, prometheus: Prometheus) -> None:
    assert "FishgateErrorShareHigh" not in prometheus.firing()
    system.models.expert.fail_next = 1_000_000
    prometheus.until(lambda: "FishgateErrorShareHigh" in prometheus.firing(), "the errors are noticed")
    assert set(system.stream.codes) != {200}
    both = 'count(fishgate:errors:share5m{of=~"requests|pictures"} > 0.02)'
    prometheus.until(functools.partial(has_value, prometheus, both, 2.0), "requests fail, and the pictures in them")


def test_a_gateway_that_ends_is_noticed(system: System, prometheus: Prometheus) -> None:
    system.gateway.kill()
    down = 'ALERTS{alertname="FishgateDown", alertstate="firing", job="fishgate-gateway"}'
    prometheus.until(lambda: prometheus.value(f"{down} and on (instance) up == 0") == 1.0, "its end is noticed")


def test_no_alert_is_left_that_has_not_fired(prometheus: Prometheus) -> None:
    fired = {labels["alertname"] for labels, _ in prometheus.query('max_over_time(ALERTS{alertstate="firing"}[1h])')}
    assert fired == {alert.where for alert in ALERTS}
