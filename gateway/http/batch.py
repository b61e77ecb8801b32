"""``POST /v1/identify/batch``: many pictures in one form, one line of JSON each, in order, while they come.

Owns how reading and working go on side by side. Answers that nobody has read yet are kept: a client that sends all
before it reads anything must not wait for a gateway that waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from fishgate.answer import Answer
from fishgate.errors import EmptyImage, FishgateError, InvalidOption
from fishgate.options import Options, options_from_fields
from fishgate.wire import Request as Asked
from gateway.errors import BadRequest, RateLimited, RequestTooLarge
from gateway.exchange import current
from gateway.http.asking import deadline_s, each_once, form_limits, option_text, query_fields
from gateway.http.body import Body
from gateway.http.forms import FormReader, Part, is_form
from gateway.http.hanging_up import HungUp
from gateway.http.lines import Lines, line
from gateway.places import Holding
from gateway.service import Service

Result = Answer | FishgateError


async def identify_batch(request: Request, service: Service) -> Response:
    """Answer each picture of a form; raises FishgateError if not even the first line can be written."""
    lines = Batch(request, service).lines()
    return Lines(await anext(lines), lines)


@dataclass(frozen=True)
class Entry:
    """One picture of a batch: its place, how its file is called, and the work that ends with its result."""

    index: int
    file: str | None
    work: asyncio.Task[Result]


class Batch:
    """One batch request."""

    def __init__(self, request: Request, service: Service) -> None:
        self._request = request
        self._service = service
        self._exchange = current()
        self._entries: asyncio.Queue[Entry | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(service.settings.batch_at_once)
        self._works: set[asyncio.Task[Result]] = set()
        self._in_address: dict[str, str] = {}
        self._pairs: list[tuple[str, str]] = []
        self._options: Options | None = None  # until the first picture has come
        self._count = 0
        self._trouble: Exception | None = None

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Give one line for each picture, in order.

        What makes the rest of the form unreadable is told in a last line, or raised if there is no other.
        """
        with self._service.entrance.places.memory() as holding:
            reading = asyncio.create_task(self._read(holding))
            try:
                while (entry := await self._entries.get()) is not None:
                    yield await self._line(entry)
                if (last := self._last_line()) is not None:
                    yield last
            finally:
                for task in (reading, *self._works):
                    task.cancel()
                await asyncio.gather(reading, *self._works, return_exceptions=True)

    async def _line(self, entry: Entry) -> bytes:
        await asyncio.wait({entry.work})
        if isinstance(self._trouble, HungUp):
            raise self._trouble
        return line(entry.index, entry.file, entry.work.result())

    def _last_line(self) -> bytes | None:
        self._exchange.pictures = self._count
        if isinstance(self._trouble, FishgateError) and self._count:
            return line(self._count, None, self._trouble)
        if self._trouble is not None:
            raise self._trouble
        if not self._count:
            raise EmptyImage("the form carries no picture; send each in a field 'data'")
        return None

    async def _read(self, holding: Holding) -> None:
        """Read the form and begin to work on each picture; then see whether the client goes."""
        try:
            await self._read_form(holding)
        except Exception as error:
            self._trouble = error
        self._entries.put_nowait(None)
        if self._trouble is None:
            while (await self._request.receive())["type"] != "http.disconnect":
                pass
            self._trouble = HungUp()
        if isinstance(self._trouble, HungUp):
            for work in self._works:
                work.cancel()

    async def _read_form(self, holding: Holding) -> None:
        settings = self._service.settings
        self._in_address = query_fields(self._request)
        deadline_s(self._request, settings)  # a wrong one is told before the first picture
        body = Body(self._request, most_bytes=settings.batch_bytes, limit_s=settings.body_limit_s, too_large=_too_large)
        content_type = self._request.headers.get("content-type", "")
        if not is_form(content_type):
            raise BadRequest("a batch is sent as multipart/form-data, each picture in a field 'data'")
        reader = FormReader(content_type, form_limits(settings, pictures=settings.batch_pictures), holding)
        async for piece in body.chunks():
            for part in reader.feed(piece):
                await self._take(part, holding)
                body.begin_stretch()
        reader.finish()

    async def _take(self, part: Part, holding: Holding) -> None:
        """Take an option, or begin to work on a picture as soon as one of this batch's turns is free."""
        if not part.is_picture:
            if self._options is not None:
                raise InvalidOption(
                    f"the option {part.name[:50]!r} must stand before the first picture: it holds for all"
                )
            self._pairs.append(option_text(part))
            return
        if self._options is None:
            self._options = options_from_fields({**self._in_address, **each_once(self._pairs)})
        else:
            await self._pay()
        await self._slots.acquire()
        work = asyncio.create_task(self._work(self._count, part, Asked(part.content, self._options), holding))
        self._works.add(work)
        work.add_done_callback(self._works.discard)
        self._entries.put_nowait(Entry(self._count, part.file, work))
        self._count += 1

    async def _pay(self) -> None:
        """Count a further picture as a request of its key. It waits where a request would be refused."""
        while True:
            try:
                self._service.entrance.rate_limits.take(self._exchange.key)
            except RateLimited as error:
                await asyncio.sleep(error.retry_after_s)
            else:
                return

    async def _work(self, index: int, part: Part, asked: Asked, holding: Holding) -> Result:
        try:
            if part.refusal is not None:
                return part.refusal
            return await self._service.identify(
                asked,
                deadline_s=deadline_s(self._request, self._service.settings),
                request_id=f"{self._exchange.request_id}-{index}",
                trace=self._exchange.trace,
            )
        except FishgateError as error:
            return error
        finally:
            self._slots.release()
            if part.refusal is None:
                holding.give_back(len(part.content))
                part.content = b""


def _too_large(seen: str) -> FishgateError:
    return RequestTooLarge(f"the batch has {seen}; send it in several requests")
