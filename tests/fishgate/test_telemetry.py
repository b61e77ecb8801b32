"""Work is timed whether or not it succeeds."""

from __future__ import annotations

import pytest

from fishgate.telemetry import Metric, SilentMeter, Stage, timed
from tests.meters import RecordingMeter


def test_a_stage_is_timed_in_seconds_under_its_names() -> None:
    meter = RecordingMeter()
    with timed(meter, "expert", Stage.FORWARD):
        pass
    [(metric, seconds, labels)] = meter.values
    assert (metric, labels) == (Metric.STAGE_SECONDS, {"model": "expert", "stage": "forward"})
    assert seconds >= 0.0


def test_a_stage_that_fails_is_timed_and_its_error_goes_on() -> None:
    meter = RecordingMeter()
    with pytest.raises(ZeroDivisionError, match="a mistake"), timed(meter, "router", Stage.ZERO_SHOT_CALL):
        raise ZeroDivisionError("a mistake")
    assert len(meter.values) == 1


def test_the_silent_meter_takes_everything() -> None:
    meter = SilentMeter()
    meter.count(Metric.DEFERRALS)
    meter.observe(Metric.EXPERT_DOUBT, 0.5, model="expert")
