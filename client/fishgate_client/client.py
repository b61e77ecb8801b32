"""Fishgate from a Python program: one picture, or many.

with Fishgate("http://127.0.0.1:8000", key=…) as fishgate:
    print(fishgate.identify("carp.jpg").label)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from fishgate_client.answer import Answer, answer_from
from fishgate_client.asking import Question
from fishgate_client.bulk import ask_all
from fishgate_client.catalogue import Models, Species, models_from, species_from
from fishgate_client.doors import Door
from fishgate_client.errors import FishgateError
from fishgate_client.http import Http, Key
from fishgate_client.message import Request
from fishgate_client.options import Options, options_from
from fishgate_client.picture import Picture, read_picture
from fishgate_client.result import Result
from fishgate_client.retries import Retries

T = TypeVar("T")
AnyPicture = TypeVar("AnyPicture", bound=Picture)
CONNECTIONS = 32
"""How many are kept alive: more than ``identify_many`` uses, for programs with threads of their own."""


class Fishgate:
    """A Fishgate server. Nothing is sent before the first question; several threads may ask at once.

    ``url``: the gateway's address, by default ``http://127.0.0.1:8000``. ``key``: an API key, or a function that
    returns it. ``timeout_s``: how long one try may take. ``torchserve``: ask TorchServe's workflow itself, by
    default at ``http://127.0.0.1:8080``, with its inference token as ``key``.

    Every method raises a FishgateError and nothing else; what time may mend was asked again before, as ``retries``
    says.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: Key = None,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        torchserve: bool = False,
    ) -> None:
        self._door = Door(torchserve)
        self._retries = retries or Retries()
        self._http = Http(url or self._door.default_url, key=key, timeout_s=timeout_s, connections=CONNECTIONS)

    @property
    def url(self) -> str:
        """The address that is asked."""
        return self._http.url

    def identify(
        self,
        picture: Picture,
        *,
        top_k: int | None = None,
        labels: Sequence[str] | None = None,
        threshold: float | None = None,
        species_list: str | None = None,
    ) -> Answer:
        """Identify one picture: a path, bytes, or an open binary file. Options are those of ``Options``."""
        options = options_from(top_k, labels, threshold, species_list)
        request = self._door.identify(read_picture(picture), options)
        return self._asked(lambda: answer_from(self._http.send(request).object()))

    def identify_many(
        self,
        pictures: Iterable[AnyPicture],
        *,
        top_k: int | None = None,
        labels: Sequence[str] | None = None,
        threshold: float | None = None,
        species_list: str | None = None,
        at_once: int | None = None,
        in_order: bool = True,
    ) -> Iterator[Result[AnyPicture]]:
        """Identify pictures, each read when its turn comes; give one result each, in the order given or as they come.

        ``at_once`` bounds how many are under way: fewer are while the server is slow or refuses. A picture that fails
        gives a result with its error; no error is raised. Closing the iterator stops asking.
        """
        question = self.question(options_from(top_k, labels, threshold, species_list))
        return ask_all(question, pictures, read=read_picture, at_once=at_once, in_order=in_order)

    def question(self, options: Options) -> Question:
        """Return what ``fishgate_client.bulk`` asks with."""
        return Question(self._http, self._door, options, self._retries)

    def models(self) -> Models:
        """Return the models that the server runs now."""
        return self._told(self._door.models(), models_from)

    def species(self, species_list: str | None = None) -> tuple[Species, ...]:
        """Return what the server can name, or what is on one of its species lists."""
        return self._told(self._door.species(species_list), species_from)

    def ping(self) -> None:
        """Return if the server is there and takes the key; raise otherwise."""
        self._told(self._door.ping(), lambda reply: reply)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Fishgate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _told(self, request: Request, read: Callable[[dict[str, Any]], T]) -> T:
        return self._asked(lambda: read(self._http.send(request).object()))

    def _asked(self, ask: Callable[[], T]) -> T:
        for attempt in range(1, self._retries.attempts + 1):
            try:
                return ask()
            except FishgateError as error:
                wait_s = self._retries.wait_s(error, attempt)
                if wait_s is None:
                    raise
                time.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")
