"""The open-loop schedule: the offered load is what was asked for."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.open_loop import ARRIVALS, Arrival, arrival_times, merged, send_on_schedule


@pytest.mark.parametrize("kind", ARRIVALS)
def test_the_rate_is_the_one_asked_for(kind: str) -> None:
    times = arrival_times(60.0, 10.0, kind=kind, seed=1)
    assert len(times) == 600
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= 10.0


def test_even_arrivals_keep_their_distance() -> None:
    assert arrival_times(4.0, 1.0, kind="even", seed=0) == [0.0, 0.25, 0.5, 0.75]


def test_the_same_seed_gives_the_same_schedule() -> None:
    first, again, other = (arrival_times(20.0, 5.0, kind="poisson", seed=seed) for seed in (7, 7, 8))
    assert first == again != other


def test_no_rate_means_no_arrivals() -> None:
    assert arrival_times(0.0, 10.0, kind="poisson", seed=1) == []


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="poisson, even, got 'tidal'"):
        arrival_times(1.0, 1.0, kind="tidal", seed=1)


def test_streams_are_merged_by_time() -> None:
    both = merged([Arrival(0.0, b"a"), Arrival(2.0, b"b")], [Arrival(1.0, b"c")])
    assert [arrival.body for arrival in both] == [b"a", b"c", b"b"]


def test_every_arrival_becomes_a_sample_in_order() -> None:
    arrivals = [Arrival(0.01 * index, b"") for index in range(5)]
    run, latest_s = asyncio.run(send_on_schedule("http://127.0.0.1:9/", "t", arrivals))
    assert [sample.index for sample in run.samples] == [0, 1, 2, 3, 4]
    assert [round(sample.started_s, 3) for sample in run.samples] == [0.0, 0.01, 0.02, 0.03, 0.04]
    assert latest_s >= 0.0
