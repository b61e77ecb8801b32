"""The expert answers if it may, otherwise zero-shot, and the expert again if zero-shot cannot be had."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection

import pytest

from fishgate.answer import Answer, ExpertView, Opinion, Promise, Source
from fishgate.cascade import AskZeroShot, settle
from fishgate.errors import REQUEST_ERRORS, FishgateError
from fishgate.options import Options
from fishgate.taxonomy import Rank, Taxon
from fishgate.wire import reply
from tests.fishgate.opinions import PIKE, TILAPIA, expert_opinion, opinion, species, spread, zero_shot_opinion

ACCEPTED = {  # the JSON of an accepted picture, in the order of its fields
    "label": "Tilapia",
    "scientific_name": "Oreochromis niloticus",
    "rank": "species",
    "confidence": 0.993,
    "source": "expert",
    "deferred": False,
    "low_confidence": False,
    "degraded": False,
    "candidates": [
        {"label": "Tilapia", "scientific_name": "Oreochromis niloticus", "rank": "species", "confidence": 0.993}
    ],
    "expert": {
        "label": "Tilapia",
        "confidence": 0.993,
        "certainty": 0.993,
        "threshold": 0.87,
        "certificate": {"risk": 0.02, "confidence": 0.95, "coverage": 0.7, "pictures": 1000},
    },
    "models": {"expert": "demo-1", "zero_shot": None},
}

PROMISE = Promise(risk=0.02, confidence=0.95, coverage=0.7, pictures=1000)
DEFAULT = Options()
FLOOR = 0.65  # zero-shot's threshold
Shares = dict[Taxon, float]

BLUE = species("Blue Tilapia", "Oreochromis aureus", "Cichlidae", "Cichliformes")
OSCAR = species("Oscar", "Astronotus ocellatus", "Cichlidae", "Cichliformes")
BLENNY = species("Convict Blenny", "Pholidichthys leucotaenia", "Pholidichthyidae", "Cichliformes")

ROLLED_UP: dict[str, tuple[Shares, Shares, tuple[object, ...]]] = {  # expert, zero-shot; floor 0.65
    "the same species": (
        {TILAPIA: 0.8},
        {TILAPIA: 0.6},
        ("Tilapia", "Oreochromis niloticus", Rank.SPECIES, 0.7, "expert"),
    ),
    "a genus": ({BLUE: 0.8}, {TILAPIA: 0.6}, ("Oreochromis", "Oreochromis", Rank.GENUS, 0.7, "expert")),
    "a family": (
        {OSCAR: 0.7},
        {TILAPIA: 0.6, BLUE: 0.2},
        ("Cichlidae", "Cichlidae", Rank.FAMILY, 0.75, "zero_shot"),
    ),
    "an order": ({BLENNY: 0.8}, {TILAPIA: 0.6}, ("Cichliformes", "Cichliformes", Rank.ORDER, 0.7, "expert")),
    "a label without taxon": (
        {Taxon(label="Zander"): 0.8},
        {Taxon(label="Zander"): 0.6},
        ("Zander", None, None, 0.7, "expert"),
    ),
}

NOT_HAD = [error("zero-shot's own words") for error in REQUEST_ERRORS]


def unsure(kind: str, shares: Shares) -> Opinion:
    """A model that is below its threshold; what it does not give to these taxa matters nowhere.

    The expert is half certain, so that both have an equal say where they roll up.
    """
    rest = spread(1 - sum(shares.values()), kind)
    said = opinion(kind, {**shares, **rest}, threshold=0.99 if kind == "expert" else FLOOR)
    return said.model_copy(update={"certainty": 0.5}) if kind == "expert" else said


def saying(said: Opinion) -> AskZeroShot:
    async def ask() -> Opinion:
        return said

    return ask


def raising(error: BaseException) -> AskZeroShot:
    async def ask() -> Opinion:
        raise error

    return ask


async def never() -> Opinion:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def settled(
    expert: Opinion,
    ask: AskZeroShot,
    options: Options = DEFAULT,
    *,
    limit_s: float = 10.0,
    members: Collection[str] | None = None,
) -> Answer:
    return asyncio.run(settle(expert, options, ask_zero_shot=ask, limit_s=limit_s, members=members))


def test_an_accepted_picture_has_the_agreed_json() -> None:
    certified = expert_opinion(0.993).model_copy(update={"promise": PROMISE})
    answer = settled(certified, raising(AssertionError("zero-shot must not be asked")))
    assert json.dumps(json.loads(reply(answer))) == json.dumps(ACCEPTED)


def test_zero_shot_answers_a_deferred_picture() -> None:
    answer = settled(expert_opinion(0.4), saying(zero_shot_opinion()))
    assert (answer.label, answer.confidence, answer.source) == ("Pike", 0.6, Source.ZERO_SHOT)
    assert (answer.deferred, answer.low_confidence, answer.degraded) == (True, False, False)
    assert answer.candidates == zero_shot_opinion().candidates
    assert answer.expert == ExpertView(label="Tilapia", confidence=0.4, certainty=0.4, threshold=0.87, certificate=None)
    assert answer.models.model_dump() == {"expert": "demo-1", "zero_shot": "zero-1"}


def test_the_threshold_that_decided_is_told() -> None:
    answer = settled(expert_opinion(0.93), saying(zero_shot_opinion()), Options(threshold=0.95))
    assert (answer.deferred, answer.expert.threshold) == (True, 0.95)


def test_nothing_is_promised_at_a_threshold_of_the_clients() -> None:
    certified = expert_opinion(0.93).model_copy(update={"promise": PROMISE})
    ask = raising(AssertionError("zero-shot must not be asked"))
    assert settled(certified, ask, Options(threshold=0.5)).expert.certificate is None
    assert settled(certified, ask, Options(threshold=0.87)).expert.certificate == PROMISE


@pytest.mark.parametrize(("confidence", "label"), [(0.39, None), (0.4, "Pike"), (0.9, "Pike")])
def test_zero_shot_is_believed_from_its_own_threshold_on(confidence: float, label: str | None) -> None:
    answer = settled(expert_opinion(0.4), saying(zero_shot_opinion(confidence, threshold=0.4)))
    assert (answer.label, answer.confidence, answer.source) == (label, confidence, Source.ZERO_SHOT)
    assert (answer.low_confidence, answer.degraded) == (label is None, False)


def test_a_sure_zero_shot_is_not_outvoted_by_the_expert() -> None:
    answer = settled(expert_opinion(0.86), saying(zero_shot_opinion(0.41, threshold=0.4)))
    assert (answer.label, answer.confidence) == ("Pike", 0.41)


def test_where_nothing_is_sure_no_name_is_told_but_the_candidates_are() -> None:
    zero_shot = zero_shot_opinion(0.3)
    answer = settled(expert_opinion(0.4), saying(zero_shot))
    assert (answer.label, answer.scientific_name, answer.rank) == (None, None, None)
    assert (answer.confidence, answer.low_confidence, answer.degraded) == (0.3, True, False)
    assert (answer.source, answer.candidates) == (Source.ZERO_SHOT, zero_shot.candidates)


@pytest.mark.parametrize(("expert", "zero_shot", "expected"), ROLLED_UP.values(), ids=ROLLED_UP)
def test_unsure_models_roll_up_to(expert: Shares, zero_shot: Shares, expected: tuple[object, ...]) -> None:
    answer = settled(unsure("expert", expert), saying(unsure("zero_shot", zero_shot)))
    assert (answer.label, answer.scientific_name, answer.rank, answer.confidence, answer.source.value) == expected
    assert (answer.deferred, answer.low_confidence, answer.degraded) == (True, False, False)


@pytest.mark.parametrize(
    ("certainty", "label"), [(0.0, "Pike"), (0.1, "Pike"), (0.5, None), (0.9, "Tilapia"), (1.0, "Tilapia")]
)
def test_the_expert_has_a_say_as_far_as_it_is_certain(certainty: float, label: str | None) -> None:
    expert = unsure("expert", {TILAPIA: FLOOR + 0.3}).model_copy(update={"certainty": certainty, "threshold": 1.01})
    zero_shot = unsure("zero_shot", {PIKE: FLOOR + 0.3}).model_copy(update={"certainty": FLOOR - 0.01})
    assert settled(expert, saying(zero_shot)).label == label


@pytest.mark.parametrize("source", ["expert", "zero_shot"])
def test_the_candidates_are_those_of_the_source(source: str) -> None:
    shares: dict[str, Shares] = {"expert": {TILAPIA: 0.6}, "zero_shot": {TILAPIA: 0.5}}
    shares[source] = {TILAPIA: 0.8}
    opinions = {kind: unsure(kind, held) for kind, held in shares.items()}
    answer = settled(opinions["expert"], saying(opinions["zero_shot"]))
    assert (answer.source.value, answer.candidates) == (source, opinions[source].candidates)


@pytest.mark.parametrize(
    "chosen", [Options(labels=("Pike", "Oscar")), Options(species_list="lake")], ids=["labels", "species_list"]
)
def test_the_expert_brings_no_name_into_a_clients_choice(chosen: Options) -> None:
    expert, zero_shot = unsure("expert", {TILAPIA: 0.9}), unsure("zero_shot", {PIKE: 0.5, OSCAR: 0.45})
    assert settled(expert, saying(zero_shot), chosen, members={"pike", "oscar"}).label is None
    assert settled(expert, saying(zero_shot)).label == "Cichlidae", "without a choice the expert has its say"


def test_a_clients_own_names_roll_up_among_themselves() -> None:
    own = Options(labels=("Blue Tilapia", "Nile Tilapia", "Pike"))
    zero_shot = unsure("zero_shot", {BLUE: 0.4, TILAPIA: 0.3, PIKE: 0.1})
    answer = settled(unsure("expert", {PIKE: 0.85}), saying(zero_shot), own)
    assert (answer.label, answer.rank, answer.confidence) == ("Oreochromis", Rank.GENUS, 0.7)


@pytest.mark.parametrize("error", NOT_HAD, ids=lambda error: error.code)
def test_the_expert_stands_in_when_zero_shot_fails(error: FishgateError) -> None:
    assert_stood_in(settled(expert_opinion(0.4), raising(error)))


def test_the_expert_stands_in_when_zero_shot_is_too_slow() -> None:
    assert_stood_in(settled(expert_opinion(0.4), never, limit_s=0.01))


def test_a_sure_expert_that_may_not_name_its_fish_is_not_trusted_when_it_stands_in() -> None:
    answer = settled(expert_opinion(0.99), raising(NOT_HAD[0]), Options(labels=("Pike",)))
    assert (answer.label, answer.degraded, answer.low_confidence) == ("Tilapia", True, True)


def test_a_mistake_in_the_code_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        settled(expert_opinion(0.4), raising(ZeroDivisionError("a mistake")))


def assert_stood_in(answer: Answer) -> None:
    assert (answer.label, answer.confidence, answer.source) == ("Tilapia", 0.4, Source.EXPERT)
    assert (answer.deferred, answer.low_confidence, answer.degraded) == (True, True, True)
    assert answer.models.zero_shot is None
