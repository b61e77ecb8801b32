"""A stand-in for TorchServe with both models, which speaks packets and does as a test tells it.

It runs in a thread of its own, so that tests of any kind can use it, and as a program:
``python -m tests.gateway.torchserve_stand_in --port 8080``. Bright pictures are known to the expert,
dark ones are deferred and known to zero-shot.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from PIL import ImageStat

from fishgate import packet
from fishgate.answer import Candidate, Opinion, Source
from fishgate.errors import FishgateError
from fishgate.images import open_picture
from fishgate.model_card import Architecture, Gate, Kind, Library, ModelCard, Weights
from fishgate.options import options_from_fields
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode
from fishgate.taxonomy import Rank, Taxon
from fishgate.wire import Request, reply

EXPERT, ZERO_SHOT = "fish__expert", "zero_shot"
POISON = b"kills its worker"
"""Bytes in a picture that make the worker die: TorchServe then answers 500 to the whole packet."""

DIED = {"code": 500, "type": "InternalServerException", "message": "Worker died."}
NO_WORKER = {"code": 503, "type": "ServiceUnavailableException", "message": "Model has no worker"}
NO_MODEL = {"code": 404, "type": "ModelNotFoundException", "message": "Model not found"}
WRONG_TOKEN = {"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed."}

_NAMES = {
    EXPERT: [("Tilapia", "Oreochromis niloticus"), ("Gold Fish", "Carassius auratus"), ("Gourami", "Trichopodus")],
    ZERO_SHOT: [("Pike", "Esox lucius"), ("Zander", "Sander lucioperca"), ("Tilapia", "Oreochromis niloticus")],
}


@dataclass
class Switches:
    """What the stand-in of one model does; a test turns them while it runs.

    ``fail_next``: so many requests get ``failure``. ``drop_next``: so many lose their connection. ``is_away``: the
    model is not there (404). ``seconds``: how long a pass takes. ``hold``: requests wait until it is set.
    """

    fail_next: int = 0
    failure: dict[str, Any] = field(default_factory=lambda: dict(DIED))
    drop_next: int = 0
    is_away: bool = False
    seconds: float = 0.0
    version: str = "1"
    pictures_at_once: int = 8
    raw_reply: bytes | None = None
    raw_description: bytes | None = None
    hold: threading.Event = field(default_factory=threading.Event)
    packets: list[list[str]] = field(default_factory=list)  # the request ids of each packet
    singles: int = 0
    descriptions: int = 0

    @property
    def sizes(self) -> list[int]:
        """The number of pictures of each packet."""
        return [len(one) for one in self.packets]


class StandIn:
    """Both models behind ``/predictions/NAME`` on a free port of this machine.

    While ``is_mute`` it takes whatever comes and says nothing, as a machine whose cable was pulled.
    """

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None, species_lists: Sequence[str] = ()
    ) -> None:
        self.is_mute = False
        self.pings = 0
        self.models = {name: Switches() for name in (EXPERT, ZERO_SHOT)}
        for model in self.models.values():
            model.hold.set()
        self.token = token
        self.species_lists = tuple(species_lists)
        self.host = host
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="torchserve stand-in", daemon=True)
        self._runner: web.AppRunner | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def expert(self) -> Switches:
        return self.models[EXPERT]

    @property
    def zero_shot(self) -> Switches:
        return self.models[ZERO_SHOT]

    def listen(self) -> None:
        """Begin to answer, on the port that it had before or on a free one."""
        if not self._thread.is_alive():
            self._thread.start()
        self._do(self._listen())

    def vanish(self) -> None:
        """Break all connections and stop listening, as a TorchServe that is stopped."""
        self._do(self._vanish())

    def end(self) -> None:
        """Vanish for good."""
        self.is_mute = False
        for model in self.models.values():
            model.hold.set()
        self._do(self._vanish())
        self._do(self._settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def write_key_file(self, path: Path) -> Path:
        """Write the token as TorchServe does."""
        path.write_text(json.dumps({"inference": {"key": self.token or "none"}}))
        return path

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        app = web.Application(client_max_size=30_000_000)
        app.router.add_post("/predictions/{model}", self._predict)
        app.router.add_get("/ping", self._ping)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)  # 0 would be for ever
        await self._runner.setup()
        self._socket = socket.create_server((self.host, self.port), backlog=128)
        self.port = int(self._socket.getsockname()[1])
        await web.SockSite(self._runner, self._socket).start()

    async def _vanish(self) -> None:
        runner, self._runner = self._runner, None
        if runner is None or runner.server is None:
            return
        # Nobody is taken in any more; those who just were must be known before the server is closed, for
        # asyncio loses their sockets otherwise.
        assert self._socket is not None
        self._loop.remove_reader(self._socket.fileno())
        await asyncio.sleep(0.01)
        for connection in list(runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await runner.cleanup()

    async def _settle(self) -> None:
        """Leave no request behind that nobody waits for any more."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _ping(self, _request: web.Request) -> web.Response:
        self.pings += 1
        await self._speaking()
        return web.json_response({"status": "Healthy"})

    async def _speaking(self) -> None:
        while self.is_mute:
            await asyncio.sleep(0.001)

    async def _predict(self, request: web.Request) -> web.Response:
        body = await request.read()
        await self._speaking()
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _says(WRONG_TOKEN)
        model = self.models.get(request.match_info["model"])
        if model is None or model.is_away:
            return _says(NO_MODEL)
        return await self._answered(request, model, body)

    async def _answered(self, request: web.Request, model: Switches, body: bytes) -> web.Response:
        name = request.match_info["model"]
        if not packet.is_packet(body):
            model.singles += 1
            return web.Response(body=_single_reply(name, model, body), content_type="application/json")
        read = packet.read_packet(body)
        if read.asks_for_description:
            model.descriptions += 1
            return _json(model.raw_description or packet.write_description(self._description(name, model)))
        model.packets.append([one.request_id for one in read.pictures])
        await self._pace(model)
        if model.drop_next > 0:
            model.drop_next -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if model.fail_next > 0:
            model.fail_next -= 1
            return _says(model.failure)
        if any(POISON in one.picture for one in read.pictures):
            return _says(DIED)
        return _json(model.raw_reply or packet.write_replies([_result(name, model, one) for one in read.pictures]))

    async def _pace(self, model: Switches) -> None:
        while not model.hold.is_set():
            await asyncio.sleep(0.001)
        if model.seconds:
            await asyncio.sleep(model.seconds)

    def _description(self, name: str, model: Switches) -> packet.Description:
        card = toy_card(name, model.version)
        return packet.Description(card=card, species_lists=self.species_lists, pictures_at_once=model.pictures_at_once)


@contextmanager
def running(**settings: Any) -> Iterator[StandIn]:
    """Run a stand-in for as long as the block takes."""
    stand_in = StandIn(**settings)
    stand_in.listen()
    try:
        yield stand_in
    finally:
        stand_in.end()


def toy_card(name: str, version: str = "1") -> ModelCard:
    """Return the card of a model that there is not."""
    kind = Kind.EXPERT if name == EXPERT else Kind.ZERO_SHOT
    return ModelCard(
        name=f"toy-{kind.value}",
        version=version,
        kind=kind,
        architecture=Architecture(library=Library.FISHGATE, name="none"),
        weights=Weights(file="none.safetensors", sha256="0" * 64),
        preprocessing=Preprocessing(
            width_px=64,
            height_px=64,
            resize_mode=ResizeMode.SQUASH,
            interpolation=Interpolation.BILINEAR,
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
        ),
        labels={
            str(i): Taxon(label=label, scientific_name=scientific, rank=Rank.SPECIES)
            for i, (label, scientific) in enumerate(_NAMES[name])
        },
        gate=Gate(threshold=0.5, evidence="none, it is a toy"),
        training={},
        metrics={},
        limits="knows nothing",
        licence="none needed",
    )


def toy_opinion(name: str, *, bright: bool, version: str = "1", top_k: int = 5) -> Opinion:
    """What the stand-in of a model says: the expert is sure of bright pictures, zero-shot of all."""
    first = 0.95 if bright or name == ZERO_SHOT else 0.3
    shares = [first, (1 - first) * 0.6, (1 - first) * 0.4]
    candidates = tuple(
        Candidate(label=label, scientific_name=scientific, rank=Rank.SPECIES, confidence=round(share, 6))
        for (label, scientific), share in sorted(zip(_NAMES[name], shares, strict=True), key=lambda pair: -pair[1])
    )
    source = Source.EXPERT if name == EXPERT else Source.ZERO_SHOT
    return Opinion(
        source=source,
        model=version,
        certainty=first,
        threshold=0.5,
        candidates=candidates[:top_k],
        masses=candidates,
    )


def _result(name: str, model: Switches, packed: packet.PackedPicture) -> Opinion | FishgateError:
    try:
        return _opinion(name, model, packed.request(now_unix_s=time.time()))
    except FishgateError as error:
        return error


def _opinion(name: str, model: Switches, request: Request) -> Opinion:
    picture = open_picture(request.picture)
    is_bright = ImageStat.Stat(picture.convert("L")).mean[0] > 127
    return toy_opinion(name, bright=is_bright, version=model.version, top_k=request.options.top_k)


def _single_reply(name: str, model: Switches, body: bytes) -> bytes:
    try:
        return reply(_opinion(name, model, Request(body, options_from_fields({}))))
    except FishgateError as error:
        return reply(error)


def _says(value: dict[str, Any]) -> web.Response:
    return web.json_response(value, status=value["code"])


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def main() -> None:
    """Run until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="0: a free one, which is printed")
    parser.add_argument("--expert-seconds", type=float, default=0.0, help="how long a packet takes the expert")
    parser.add_argument("--zero-shot-seconds", type=float, default=0.0, help="how long a packet takes zero-shot")
    arguments = parser.parse_args()
    with running(host=arguments.host, port=arguments.port) as stand_in:
        stand_in.expert.seconds = arguments.expert_seconds
        stand_in.zero_shot.seconds = arguments.zero_shot_seconds
        print(stand_in.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
