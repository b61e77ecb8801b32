"""TorchServe's replies mean what they say, and its tokens are read anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fishgate.errors import FishgateError, ImageTooLarge, InternalError
from fishgate.packet import read_replies, write_packet
from gateway.backend import Backend, Unavailable, WorkerLost
from tests.gateway.engine_parts import BRIGHT, packed
from tests.gateway.torchserve_stand_in import DIED, NO_MODEL, NO_WORKER, WRONG_TOKEN, StandIn, running

ONE = write_packet([packed()])


@pytest.fixture
def server() -> Iterator[StandIn]:
    with running() as stand_in:
        yield stand_in


def post(url: str, *bodies: bytes, key_file: Path | None = None) -> list[bytes | FishgateError]:
    """What became of the packets, sent one after the other over one connection."""

    async def story() -> list[bytes | FishgateError]:
        backend, results = Backend(url, key_file), []
        for body in bodies:
            try:
                results.append(await backend.post("expert", body))
            except FishgateError as error:
                results.append(error)
        await backend.close()
        return results

    return asyncio.run(story())


def test_a_packet_gets_its_reply(server: StandIn) -> None:
    (reply,) = post(server.url, ONE)
    assert isinstance(reply, bytes)
    assert len(read_replies(reply, pictures=1)) == 1


def test_a_large_packet_goes_through(server: StandIn) -> None:
    (reply,) = post(server.url, write_packet([packed("a", BRIGHT + bytes(5_000_000))]))
    assert isinstance(reply, bytes)


def failed(code: int, type_: str = "InternalServerException", message: str = "?") -> dict[str, Any]:
    return {"code": code, "type": type_, "message": message}


OWN_ERROR = {"error": {"status": 400, "code": "invalid_option", "message": "no packet"}, "code": 400}

REPLIES = {
    "a worker died": (DIED, WorkerLost, "expert answered 500"),
    "out of memory": (failed(507), WorkerLost, "expert answered 507"),
    "the handler raised": (failed(503, message="Prediction failed"), WorkerLost, "expert answered 503"),
    "no worker": (NO_WORKER, Unavailable, "not there, or has too much to do"),
    "no model": (NO_MODEL, Unavailable, "not there, or has too much to do"),
    "a wrong token": (WRONG_TOKEN, Unavailable, "does not accept the token"),
    "unauthorised": (failed(401), Unavailable, "does not accept the token"),
    "forbidden": (failed(403), Unavailable, "does not accept the token"),
    "too large": (failed(413), ImageTooLarge, "larger than the server takes"),
    "our own error": (OWN_ERROR, InternalError, "were both installed together"),
}


@pytest.mark.parametrize(("reply", "error", "message"), REPLIES.values(), ids=REPLIES)
def test_a_status_means(server: StandIn, reply: dict[str, Any], error: type[FishgateError], message: str) -> None:
    server.expert.fail_next, server.expert.failure = 1, reply
    first, second = post(server.url, ONE, ONE)
    assert type(first) is error
    assert message in str(first)
    assert isinstance(second, bytes)


def test_a_server_that_is_not_there_is_unavailable(server: StandIn) -> None:
    server.vanish()
    (error,) = post(server.url, ONE)
    assert isinstance(error, Unavailable)
    assert "expert cannot be reached (ClientConnectorError)" in str(error)


def test_a_connection_that_breaks_may_be_a_lost_worker(server: StandIn) -> None:
    server.expert.drop_next = 1
    first, second = post(server.url, ONE, ONE)
    assert isinstance(first, WorkerLost)
    assert isinstance(second, bytes)


def test_a_new_token_is_read_from_the_key_file(tmp_path: Path) -> None:
    with running(token="first") as server:
        key_file = server.write_key_file(tmp_path / "key_file.json")

        async def story() -> None:
            backend = Backend(server.url, key_file)
            await backend.post("expert", ONE)
            server.token = "second"  # TorchServe was started anew
            with pytest.raises(Unavailable, match="does not accept the token"):
                await backend.post("expert", ONE)
            server.write_key_file(key_file)
            await backend.post("expert", ONE)
            await backend.close()

        asyncio.run(story())


def test_who_asks_while_connections_are_closed_gets_new_ones(server: StandIn) -> None:
    class Session:
        """Connections that take their time to close."""

        def __init__(self) -> None:
            self.may_close = asyncio.Event()

        async def close(self) -> None:
            await self.may_close.wait()

    async def story() -> None:
        backend, old = Backend(server.url), Session()
        backend._session = old  # type: ignore[assignment]
        closing = asyncio.create_task(backend.close())
        await asyncio.sleep(0)
        assert len(read_replies(await backend.post("expert", ONE), pictures=1)) == 1
        old.may_close.set()
        await closing
        await backend.post("expert", ONE)
        await backend.close()

    asyncio.run(story())


@pytest.mark.parametrize("content", [None, "no JSON", json.dumps({"management": {}})], ids=["none", "text", "other"])
def test_a_key_file_that_is_not_there_yet_is_waited_for(server: StandIn, tmp_path: Path, content: str | None) -> None:
    key_file = tmp_path / "key_file.json"
    if content is not None:
        key_file.write_text(content)
    (error,) = post(server.url, ONE, key_file=key_file)
    assert isinstance(error, Unavailable)
    assert "key file cannot be read" in str(error)
    assert str(tmp_path) not in str(error)
