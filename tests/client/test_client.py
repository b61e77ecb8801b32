"""The library against a real HTTP server: answers, options, errors, and what is asked again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fishgate_client import (
    Fishgate,
    Refused,
    Retries,
    Unauthorised,
)

from tests.client.replies import ANSWER
from tests.client.stand_in import KEY, StandIn

QUICK = Retries(attempts=3, first_wait_s=0.01, longest_wait_s=0.02)


@pytest.fixture
def fishgate(server: StandIn) -> Iterator[Fishgate]:
    with Fishgate(server.url, retries=QUICK) as client:
        yield client


def test_an_answer_is_typed(fishgate: Fishgate) -> None:
    answer = fishgate.identify(b"a fish")
    assert (answer.label, answer.scientific_name, answer.rank) == ("Carp", "Cyprinus carpio", "species")
    assert [candidate.label for candidate in answer.candidates] == ["Carp", "Tench"]
    assert answer.expert.certificate is not None
    assert answer.expert.certificate.pictures == 569
    assert answer.models.zero_shot is None


def test_fields_of_a_newer_server_are_kept_and_do_no_harm(fishgate: Fishgate) -> None:
    assert fishgate.identify(b"a fish").reply == ANSWER


@pytest.mark.parametrize("form", ["path", "text", "bytes", "file"])
def test_a_picture_may_be_given_in_any_form(fishgate: Fishgate, server: StandIn, tmp_path: Path, form: str) -> None:
    path = tmp_path / "fish.jpg"
    path.write_bytes(b"a fish")
    given: dict[str, Any] = {"path": path, "text": str(path), "bytes": b"a fish", "file": io.BytesIO(b"a fish")}
    fishgate.identify(given[form])
    assert server.asked == {b"a fish": 1}


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "none": ({}, {}),
    "numbers": ({"top_k": 3, "threshold": 0.25}, {"top_k": "3", "threshold": "0.25"}),
    "a list": ({"species_list": "north"}, {"species_list": "north"}),
    "own labels": ({"labels": ["Löffelstör", "b"]}, {"labels": '["Löffelstör", "b"]'}),
}


@pytest.mark.parametrize(("options", "sent"), OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("torchserve", [False, True], ids=["gateway", "torchserve"])
def test_options_arrive(server: StandIn, options: dict[str, Any], sent: dict[str, str], torchserve: bool) -> None:
    with Fishgate(server.url, torchserve=torchserve) as client:
        assert client.identify(b"a fish", **options).label == "Carp"
    assert server.requests[0]["form"] == sent
    assert server.requests[0]["path"] == ("/wfpredict/fish" if torchserve else "/v1/identify")


def test_labels_given_as_one_text_are_a_mistake(fishgate: Fishgate) -> None:
    with pytest.raises(TypeError, match="sequence of names"):
        fishgate.identify(b"a fish", labels="Carp")


def test_the_key_is_sent(server: StandIn) -> None:
    server.key = KEY
    with Fishgate(server.url) as client, pytest.raises(Unauthorised, match="give a key"):
        client.identify(b"a fish")
    keys = iter(["wrong", KEY])
    with Fishgate(server.url, key=lambda: next(keys)) as client:
        with pytest.raises(Unauthorised):
            client.identify(b"a fish")
        assert client.identify(b"a fish").label == "Carp"


def test_a_netrc_does_not_replace_the_key(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    server.key = KEY
    with Fishgate(server.url, key=KEY) as client:
        assert client.identify(b"a fish").label == "Carp"


def test_models_and_species(fishgate: Fishgate) -> None:
    models = fishgate.models()
    assert (models.expert.version, models.expert.threshold, models.species_lists) == ("toy-1", 0.9, ("north",))
    assert [species.family for species in fishgate.species()] == ["Cyprinidae", None, "Cyprinidae"]
    assert len(fishgate.species("north")) == 1
    fishgate.ping()


def test_torchserve_does_not_tell_its_models(server: StandIn) -> None:
    with Fishgate(server.url, torchserve=True) as client:
        client.ping()
        with pytest.raises(Refused, match="ask the gateway"):
            client.models()
