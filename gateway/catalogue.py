"""What the models say of themselves: their cards, asked from the workers that run now.

Owns when they are asked again. It does not know where the catalogue is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from fishgate.answer import ModelVersions
from fishgate.errors import FishgateError, Overloaded
from fishgate.model_card import ModelCard
from fishgate.packet import Description, read_description, write_describe
from gateway.sender import Sender

_SOON_S = 1.0
"""The pause before workers are asked again that did not answer, or that seem to have changed."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Catalogue:
    """The cards of both models, None for a zero-shot that cannot be had, and the names of the species lists."""

    expert: ModelCard
    zero_shot: ModelCard | None
    species_lists: tuple[str, ...]

    def has(self, versions: ModelVersions) -> bool:
        """Tell whether an answer of these models is of the models here; zero-shot may have had no part in it."""
        zero_shot = self.zero_shot.version if self.zero_shot else None
        return versions.expert == self.expert.version and versions.zero_shot in (None, zero_shot)


class CatalogueKeeper:
    """Keeps the catalogue, and asks the workers again every ``every_s`` seconds or when there is reason to.

    ``on_described`` is told what a worker said of itself, each time. To be used inside one running
    event loop.
    """

    def __init__(
        self,
        backend: Sender,
        *,
        every_s: float,
        on_described: Callable[[str, Description], None],
        limit_s: float = 10.0,
    ) -> None:
        self._backend = backend
        self._every_s = every_s
        self._limit_s = limit_s
        self._on_described = on_described
        self._catalogue: Catalogue | None = None
        self._is_doubtful = asyncio.Event()
        self._asking = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask; the workers need not be there yet."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Ask no more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def get(self) -> Catalogue:
        """Return the catalogue; raise FishgateError if it is not known yet and the expert does not answer."""
        async with self._asking:
            if self._catalogue is None:
                self._catalogue = await self._ask_both()
            return self._catalogue

    def saw(self, versions: ModelVersions) -> None:
        """Take note of which models gave an answer: it may be time to ask them again."""
        if self._catalogue is None or not self._catalogue.has(versions):
            self._is_doubtful.set()

    def doubt(self) -> None:
        """Ask again soon: other models may answer from now on."""
        self._is_doubtful.set()

    async def _keep(self) -> None:
        while True:
            await self._refresh()
            is_whole = self._catalogue is not None and self._catalogue.zero_shot is not None
            await asyncio.sleep(_SOON_S)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._is_doubtful.wait(), self._every_s if is_whole else 0.0)
            self._is_doubtful.clear()

    async def _refresh(self) -> None:
        async with self._asking:
            try:
                self._catalogue = await self._ask_both()
            except FishgateError as error:  # what is known stays; who asks for an answer is told what is wrong
                _log.info("the models could not be asked for their cards: %s", error)

    async def _ask_both(self) -> Catalogue:
        expert, zero_shot = await asyncio.gather(self._ask("expert"), self._ask("zero_shot"))
        if isinstance(expert, FishgateError):
            raise expert
        return Catalogue(
            expert=expert.card,
            zero_shot=None if isinstance(zero_shot, FishgateError) else zero_shot.card,
            species_lists=expert.species_lists,
        )

    async def _ask(self, model: str) -> Description | FishgateError:
        try:
            reply = await asyncio.wait_for(self._backend.post(model, write_describe()), self._limit_s)
            description = read_description(reply)
        except asyncio.TimeoutError:
            return Overloaded(f"{model} did not tell its card within {self._limit_s:g} seconds")
        except FishgateError as error:
            return error
        self._on_described(model, description)
        return description
