"""The closed-loop client's record of a run."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from benchmarks.load import Run, Sample, send_many

ANSWER = {"label": "Tilapia", "source": "expert", "deferred": False, "degraded": False, "candidates": [1, 2, 3]}


def sample(index: int, *, seconds: float = 0.01, started_s: float = 0.0, answered: bool = True) -> Sample:
    return Sample(index, seconds, {"label": "x"} if answered else None, None if answered else "gone", started_s)


def test_percentiles_are_in_milliseconds() -> None:
    run = Run([sample(i, seconds=i / 1000) for i in range(1, 101)], seconds=1.0)
    assert run.percentiles_ms(50, 100) == pytest.approx([50.5, 100.0])


def test_percentiles_of_some_samples_only() -> None:
    run = Run([sample(i, seconds=i / 1000) for i in range(1, 101)], seconds=1.0)
    assert run.percentiles_ms(100, only=lambda one: one.index <= 10) == pytest.approx([10.0])


def test_a_request_without_an_answer_is_lost() -> None:
    run = Run([sample(0), sample(1, answered=False)], seconds=2.0)
    assert [one.index for one in run.lost] == [1]
    assert run.per_second == 1.0


def test_steady_rate_leaves_both_ends_out() -> None:
    slow_start = [sample(0, started_s=0.0, seconds=10.0)]
    steady = [sample(i, started_s=10.0, seconds=i * 0.1) for i in range(1, 20)]
    slow_end = [sample(20, started_s=10.0, seconds=50.0)]
    run = Run([*slow_end, *steady, *slow_start], seconds=60.0)
    assert run.steady_per_second(skip=1) == pytest.approx(10.0)


def test_steady_rate_counts_no_batch_whose_time_it_leaves_out() -> None:
    bursts = [sample(8 * batch + i, seconds=float(batch)) for batch in range(1, 13) for i in range(8)]
    assert Run(bursts, seconds=12.0).steady_per_second(skip=16) == pytest.approx(8.0)


def test_steady_rate_of_too_few_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="3 answers are too few to leave out 1 at each end"):
        Run([sample(i) for i in range(3)], seconds=1.0).steady_per_second(skip=1)


def test_only_a_true_flag_counts() -> None:
    assert Sample(0, 0.1, {"label": "x", "degraded": True}, None).is_flagged("degraded")
    assert not Sample(0, 0.1, {"label": "x", "degraded": False}, None).is_flagged("degraded")
    assert not sample(0, answered=False).is_flagged("degraded")


async def _reply(request: web.Request) -> web.Response:
    if request.content_type == "multipart/form-data":
        form = await request.post()
        return web.json_response({"error": {"status": 400, "code": f"fields_{'_'.join(sorted(form))}"}})
    body = await request.read()
    if body == b"broken":
        return web.Response(status=500, text="no JSON")
    return web.json_response(ANSWER)


async def _served(bodies: list[object], **options: object) -> Run:
    application = web.Application()
    application.router.add_post("/", _reply)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        return await send_many(
            f"http://127.0.0.1:{port}/", "token", picture_for=lambda index: bodies[index % len(bodies)], **options
        )
    finally:
        await runner.cleanup()


def test_what_came_is_told_apart() -> None:
    bodies = [b"good", b"broken", {"data": b"x", "top_k": "3"}]
    run = asyncio.run(_served(bodies, count=3, clients=1))
    assert [one.answer for one in run.samples] == [
        {"label": "Tilapia", "source": "expert", "deferred": False, "degraded": False},
        None,
        None,
    ]
    assert run.samples[1].failure == "JSONDecodeError"
    assert run.samples[2].failure == "fields_data_top_k"


def test_each_request_is_sent_once_whatever_the_clients() -> None:
    run = asyncio.run(_served([b"good"], count=25, clients=4))
    assert sorted(one.index for one in run.samples) == list(range(25))


def test_sending_ends_after_the_time() -> None:
    run = asyncio.run(_served([b"good"], seconds=0.2, clients=2))
    assert run.samples
    assert run.seconds < 5.0


def test_another_kind_of_answer_can_be_asked_for() -> None:
    run = asyncio.run(_served([b"good"], count=1, clients=1, answer_key="opinion"))
    assert len(run.lost) == 1


def test_a_server_that_is_not_there_loses_the_request() -> None:
    run = asyncio.run(send_many("http://127.0.0.1:9/", "t", count=1, clients=1, picture_for=lambda index: b""))
    assert run.lost[0].failure == "ClientConnectorError"
