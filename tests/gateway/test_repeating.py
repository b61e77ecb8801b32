"""What is done again and again goes on over errors that nobody foresaw, and tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from gateway.host import State
from gateway.repeating import again_and_again
from tests.gateway.engine_parts import until
from tests.gateway.test_hosts import Name, host_of, hosts_of, run, started
from tests.gateway.torchserve_stand_in import StandIn, running


@pytest.fixture
def servers() -> Iterator[list[StandIn]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running()) for _ in range(2)]


def test_the_same_error_is_told_once_and_another_anew(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception | None] = [KeyError("one"), KeyError("one"), OSError("two"), None, OSError("two")]
    done: list[int] = []

    async def step() -> None:
        number = len(done)
        done.append(number)
        if number < len(errors) and (error := errors[number]) is not None:
            raise error

    async def story() -> None:
        task = asyncio.create_task(again_and_again(step, every_s=0.0, what="counting fish"))
        await until(lambda: len(done) > len(errors))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(story)
    told = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert told == ["'one'", "two", "two"]
    assert {record.getMessage() for record in caplog.records} == {"counting fish failed; it is tried again"}


@dataclass
class LostName(Name):
    """A name at which the resolver fails as nobody foresaw."""

    error: Exception | None = field(default=None)

    async def look_up(self, name: str, port: int) -> list[str]:
        if self.error is not None:
            raise self.error
        return await super().look_up(name, port)


def test_an_error_that_nobody_foresaw_does_not_end_the_looking_up(caplog: pytest.LogCaptureFixture) -> None:
    with running() as server:
        name = LostName(server.port, [server.host])

        async def story() -> None:
            async with started(name.directory()) as hosts:
                name.error = KeyError("unforeseen")
                await until(lambda: "looking up the hosts' names failed" in caplog.text)
                name.error, name.addresses = None, []
                await until(lambda: not hosts.all)

        run(story)
    assert "KeyError: 'unforeseen'" in caplog.text  # with its traceback
    assert caplog.text.count("failed") == 1


def test_an_error_that_nobody_foresaw_does_not_end_the_looking_after(
    servers: list[StandIn], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unforeseen(limit_s: float) -> bool:
        raise KeyError("unforeseen")

    async def story() -> None:
        async with hosts_of(servers) as hosts:
            first, second = (host_of(hosts, server) for server in servers)
            with monkeypatch.context() as patch:
                patch.setattr(first, "is_there", unforeseen)
                first.went_out()
                second.went_out()
                await until(lambda: second.state is State.IN)  # another is looked after all the same
                await until(lambda: "looking after the hosts failed" in caplog.text)
            await until(lambda: first.state is State.IN)

    run(story)
    assert "KeyError: 'unforeseen'" in caplog.text
