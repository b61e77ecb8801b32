"""A real gRPC door on a free port, in an event loop of its own, before an engine that does as it is told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import grpc

from fishgate.answer import Answer, Candidate, ExpertView, ModelVersions, Source
from fishgate.errors import Overloaded
from fishgate.options import Options
from fishgate.taxonomy import Rank
from gateway.access_log import AccessLog
from gateway.catalogue import Catalogue
from gateway.entrance import Entrance
from gateway.metrics import Metrics
from gateway.readiness import Readiness
from gateway.rpc.generated.inference_pb2_grpc import InferenceAPIsServiceStub
from gateway.rpc.server import RpcServer
from gateway.service import Service
from gateway.settings import Settings
from gateway.spans import NoSpans
from gateway.trace import NO_TRACE, Trace

ResultT = TypeVar("ResultT")

TENCH = Candidate(label="Tench", scientific_name="Tinca tinca", rank=Rank.SPECIES, confidence=0.9)
ANSWER = Answer(
    label="Tench",
    scientific_name="Tinca tinca",
    rank=Rank.SPECIES,
    confidence=0.9,
    source=Source.EXPERT,
    deferred=False,
    low_confidence=False,
    degraded=False,
    candidates=(TENCH,),
    expert=ExpertView(label="Tench", confidence=0.9, certainty=0.9, threshold=0.5, certificate=None),
    models=ModelVersions(expert="1", zero_shot=None),
)
LIMIT_S = 30.0


@dataclass
class ToldEngine:
    """Answers ``result``, or raises it; with ``is_slow`` only once it is ``let_go``."""

    result: Answer | Exception = ANSWER
    is_slow: bool = False
    is_awake: bool = True
    asked: list[dict[str, Any]] = field(default_factory=list)
    has_begun: threading.Event = field(default_factory=threading.Event)
    was_cancelled: threading.Event = field(default_factory=threading.Event)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def identify(
        self, picture: bytes, options: Options, *, deadline_s: float, request_id: str, trace: Trace = NO_TRACE
    ) -> Answer:
        self.asked.append({"picture": picture, "options": options, "deadline_s": deadline_s, "id": request_id})
        self.has_begun.set()
        try:
            if self.is_slow:
                await self.may_go.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    async def catalogue(self) -> Catalogue:
        raise NotImplementedError

    async def probe(self, *, only_expert: bool = False) -> None:
        if not self.is_awake:
            raise Overloaded("still asleep")


class RpcDoor:
    """What a test needs of a running door."""

    def __init__(self, settings: Settings, engine: ToldEngine) -> None:
        self.engine = engine
        self.metrics = Metrics()
        self.port = 0
        self.settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def start(self) -> None:
        """Listen; if that cannot be, nothing is left behind."""
        self._thread.start()
        try:
            self.run(self._start())
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Break off whatever is under way, and end the loop."""
        self.run(self._stop())
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run something in the door's own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(LIMIT_S)

    def call_soon(self, function: Any) -> None:
        """Call something in the door's own loop."""
        self._loop.call_soon_threadsafe(function)

    async def _start(self) -> None:
        self.log = AccessLog(self.settings.access_log)
        self.readiness = Readiness(self.engine.probe, try_again_s=0.05)
        self.entrance = Entrance(self.settings)
        self.service = Service(self.settings, self.engine, self.entrance, self.metrics, self.readiness)
        self.server = RpcServer(self.service, log=self.log, spans=NoSpans())
        self.port = await self.server.start()
        self._watching = asyncio.create_task(self.readiness.watch())

    async def _stop(self) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        await self.server.stop(0.0)
        self.log.close()

    def log_lines(self) -> list[dict[str, Any]]:
        """Return what the access log says; the door is stopped by that, so that all is written."""
        self.stop_once()
        return [json.loads(line) for line in Path(self.settings.access_log).read_text().splitlines()]

    def stop_once(self) -> None:
        """Stop, unless that has been done."""
        if self._thread.is_alive():
            self.stop()


@contextmanager
def rpc_door(folder: Path, engine: ToldEngine | None = None, **settings: Any) -> Iterator[RpcDoor]:
    """Run a door with these settings until the block ends."""
    given = {"home": folder, "grpc_port": 0, "access_log": str(folder / "access.log"), **settings}
    door = RpcDoor(Settings(**given), engine or ToldEngine())
    door.start()
    try:
        yield door
    finally:
        door.stop_once()


@contextmanager
def stub_for(door: RpcDoor, *, max_bytes: int | None = None) -> Iterator[InferenceAPIsServiceStub]:
    """Connect to a door as TorchServe's clients do."""
    options = [("grpc.max_send_message_length", max_bytes)] if max_bytes else []
    with grpc.insecure_channel(f"127.0.0.1:{door.port}", options) as channel:
        yield InferenceAPIsServiceStub(channel)
