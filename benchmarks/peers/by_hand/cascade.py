"""Both paced models in this process, and the cascade over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.paced.expert_handler import PacedExpertHandler
from benchmarks.paced.pack import paced_card
from benchmarks.paced.zero_shot_handler import PacedZeroShotHandler
from benchmarks.peers.by_hand.batches import Batches
from fishgate.answer import Answer, Opinion, opinion_from
from fishgate.cascade import settle
from fishgate.images import open_picture
from fishgate.model_card import Kind
from fishgate.options import Options
from fishgate.preprocessing import Pixels, to_pixels
from fishgate.wire import Request

BATCH_SIZE = 8
ZERO_SHOT_LIMIT_S = 20.0

Ready = tuple[Options, Pixels]
Compute = Callable[[Sequence[Ready]], list[Opinion]]


class Cascade:
    """Identifies pictures with the paced models."""

    def __init__(self) -> None:
        # Never initialised as handlers: only what they compute is used, so that both sides pace alike.
        self._expert, self._zero_shot = PacedExpertHandler(), PacedZeroShotHandler()
        self._expert.card, self._zero_shot.card = paced_card(Kind.EXPERT), paced_card(Kind.ZERO_SHOT)
        self._models = {
            Kind.EXPERT: self._batches(Kind.EXPERT, self._expert_opinions),
            Kind.ZERO_SHOT: self._batches(Kind.ZERO_SHOT, self._zero_shot_opinions),
        }

    def start(self) -> None:
        """Begin to work; inside the running event loop."""
        for batches in self._models.values():
            batches.start()

    async def close(self) -> None:
        """Stop working."""
        for batches in self._models.values():
            await batches.close()

    async def identify(self, picture: bytes, options: Options) -> Answer:
        """Return the answer for one picture; raise FishgateError if there is none."""
        request = Request(picture, options)
        expert = await self._models[Kind.EXPERT].ask(request)
        return await settle(
            expert,
            options,
            ask_zero_shot=lambda: self._models[Kind.ZERO_SHOT].ask(request),
            limit_s=ZERO_SHOT_LIMIT_S,
        )

    def _batches(self, kind: Kind, compute: Compute) -> Batches[Request, Ready, Opinion]:
        preprocessing = paced_card(kind).preprocessing

        def prepare(request: Request) -> Ready:
            picture = open_picture(request.picture, needed_px=preprocessing.needed_px)
            return request.options, to_pixels(picture, preprocessing)

        return Batches(kind.value, prepare=prepare, compute=compute, size=BATCH_SIZE)

    def _expert_opinions(self, ready: Sequence[Ready]) -> list[Opinion]:
        card = self._expert.card
        findings = self._expert.examine([pixels for _, pixels in ready])
        return [
            opinion_from(found.probabilities, card.taxa, card, top_k=options.top_k, certainty=found.certainty)
            for (options, _), found in zip(ready, findings, strict=True)
        ]

    def _zero_shot_opinions(self, ready: Sequence[Ready]) -> list[Opinion]:
        card = self._zero_shot.card
        found = self._zero_shot.predict([pixels for _, pixels in ready], [options.labels for options, _ in ready])
        return [
            opinion_from(probabilities, card.taxa, card, top_k=options.top_k)
            for (options, _), probabilities in zip(ready, found, strict=True)
        ]
