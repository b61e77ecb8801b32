"""The drift monitor's series: their names, their buckets, and what stands in them."""

from __future__ import annotations

import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.drift import DriftObserver
from gateway.drift_shadow import Verdict
from gateway.metrics import Metrics

P = "fishgate_gateway_"


def samples(metrics: Metrics) -> dict[str, float]:
    """Each series by its name and the value of its only label."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        "/".join([one.name.removeprefix(P), *one.labels.values()]): one.value
        for family in families
        for one in family.samples
    }


def test_all_series_are_there_from_the_start() -> None:
    told = samples(Metrics())
    assert [told[f"{name}_total"] for name in ("expert_asked", "expert_accepted", "shadow_dropped")] == [0, 0, 0]
    assert [told[f"shadow_total/{verdict}"] for verdict in ("agree", "disagree", "failed")] == [0, 0, 0]
    assert math.isnan(told["certificate_coverage"])


def test_judged_pictures_are_counted_and_spread_over_twenty_buckets() -> None:
    metrics = Metrics()
    drift: DriftObserver = metrics.drift
    drift.judged(certainty=0.97, confidence=0.62, accepted=True)
    drift.judged(certainty=0.05, confidence=0.33, accepted=False)
    told = samples(metrics)
    assert (told["expert_asked_total"], told["expert_accepted_total"]) == (2, 1)
    for name, total in (("certainty", 1.02), ("confidence", 0.95)):
        assert told[f"expert_{name}_sum"] == pytest.approx(total)
        edges = [key for key in told if key.startswith(f"expert_{name}_bucket/") and not key.endswith("+Inf")]
        assert len(edges) == 20
    assert [told[f"expert_certainty_bucket/{edge}"] for edge in ("0.05", "0.95", "1.0")] == [1, 1, 2]


@pytest.mark.parametrize(("coverages", "shown"), [([0.8], 0.8), ([0.8, None], math.nan), ([0.8, 0.7], 0.7)])
def test_the_certificates_coverage_is_that_of_the_last_card(coverages: list[float | None], shown: float) -> None:
    metrics = Metrics()
    for coverage in coverages:
        metrics.drift.certified(coverage)
    assert samples(metrics)["certificate_coverage"] == pytest.approx(shown, nan_ok=True)


@pytest.mark.parametrize(
    ("verdict", "series"),
    [
        (Verdict.AGREE, "shadow_total/agree"),
        (Verdict.DISAGREE, "shadow_total/disagree"),
        (Verdict.FAILED, "shadow_total/failed"),
        (None, "shadow_dropped_total"),
    ],
)
def test_second_opinions_are_counted_by_what_they_say(verdict: Verdict | None, series: str) -> None:
    metrics = Metrics()
    metrics.drift.second_opinion(verdict)
    told = samples(metrics)
    assert {name for name, value in told.items() if name.startswith("shadow_") and value == 1.0} == {series}
