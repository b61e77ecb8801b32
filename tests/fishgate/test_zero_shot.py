"""A tiny CLIP with random weights, loaded and run as the real one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch

from fishgate.device import Device
from fishgate.errors import CardError, ListError, WeightsError
from fishgate.list_folder import ListFolder
from fishgate.model_card import Kind, TextType, read_card
from fishgate.preprocessing import Pixels
from fishgate.species_list import SpeciesList
from fishgate.taxonomy import Rank, Taxon
from fishgate.text_embeddings import NameEmbeddings, _TextSide, name_of, prompt_names
from fishgate.zero_shot import Candidates, ZeroShot, _similarities, load_zero_shot
from tests.lists import LAKE_LABELS, write_lake_for
from tests.toys import CLIP_CONFIG, SHUFFLENET, TAXA, card, toy_clip, write_folder

CPU = Device("cpu")
TILAPIA = Taxon.model_validate(TAXA[0])
LINEAGE = "Animalia Chordata Actinopterygii Cichliformes Cichlidae Oreochromis niloticus"
MYSTERY = Taxon(label="Mystery fish")

NAMES = {
    TextType.COMMON: ("Tilapia", "Mystery fish"),
    TextType.SCIENTIFIC: ("Oreochromis niloticus", "Mystery fish"),
    TextType.SCIENTIFIC_COMMON: ("Oreochromis niloticus with common name Tilapia", "Mystery fish"),
    TextType.TAXON: (LINEAGE, "Mystery fish"),
    TextType.TAXON_COMMON: (f"{LINEAGE} with common name Tilapia", "Mystery fish"),
}

WRONG_CARDS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "another library": ({"architecture": SHUFFLENET}, CardError, "zero-shot is built by open_clip"),
    "no configuration": (
        {"architecture": {"library": "open_clip", "name": "toy"}},
        CardError,
        "of 'toy-zero_shot' is no open_clip model",
    ),
    "unknown parameter": (
        {"architecture": {"library": "open_clip", "name": "toy", "config": {**CLIP_CONFIG, "depth": 3}}},
        CardError,
        "is no open_clip model: .*depth",
    ),
    "another size": (
        {"architecture": {"library": "open_clip", "name": "toy", "config": {**CLIP_CONFIG, "embed_dim": 16}}},
        WeightsError,
        "does not fit 'toy' with 3 labels: .*size mismatch",
    ),
    "another kind": ({"kind": "expert"}, CardError, "this worker needs 'zero_shot'"),
}


class RecordingEmbed:
    """Embeds a name as its length, and remembers for which names it was asked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str) -> torch.Tensor:
        self.names.append(name)
        return torch.tensor([float(len(name))])


def noise(count: int) -> list[Pixels]:
    return list(np.random.default_rng(4).integers(0, 255, (count, 32, 32, 3), dtype=np.uint8))


def count_passes(monkeypatch: pytest.MonkeyPatch, network: Any, method: str) -> list[int]:
    """Return a list to which each pass through this part of the network adds its batch size."""
    encode, sizes = getattr(network, method), []

    def counted(batch: torch.Tensor) -> Any:
        sizes.append(len(batch))
        return encode(batch)

    monkeypatch.setattr(network, method, counted)
    return sizes


@pytest.fixture(scope="module")
def zero_shot(tmp_path_factory: pytest.TempPathFactory) -> ZeroShot:
    return load_zero_shot(write_folder(tmp_path_factory.mktemp("zero"), toy_clip(), "zero_shot"), CPU)


@pytest.mark.parametrize("text_type", TextType, ids=lambda text_type: text_type.value)
def test_a_taxon_is_written_as_the_model_was_taught(text_type: TextType) -> None:
    assert (name_of(TILAPIA, text_type), name_of(MYSTERY, text_type)) == NAMES[text_type]


def test_a_common_name_that_is_the_scientific_one_is_written_once() -> None:
    goby = Taxon(label="Gobius", scientific_name="Gobius", rank=Rank.GENUS)
    assert name_of(goby, TextType.SCIENTIFIC_COMMON) == "Gobius"


def test_the_prompts_of_a_card_come_in_the_order_of_its_outputs() -> None:
    assert prompt_names(card("zero_shot", prompts={"text_type": "com"})) == ["Tilapia", "Gourami", "Mystery fish"]


def test_probabilities_fit_each_pictures_own_candidates(zero_shot: ZeroShot) -> None:
    results = zero_shot.predict(noise(3), [None, ["Pike", "Zander"], ["Tilapia"]])
    assert [result.shape for result in results] == [(3,), (2,), (1,)]
    assert [float(result.sum()) for result in results] == pytest.approx([1.0] * 3, abs=1e-5)
    assert results[0].dtype == np.float32


def test_a_batch_says_what_its_pictures_say_alone(zero_shot: ZeroShot) -> None:
    pictures, candidates = noise(3), [None, ["Pike", "Zander"], ["Zander", "Pike", "Eel"]]
    together = zero_shot.predict(pictures, candidates)
    for picture, names, result in zip(pictures, candidates, together, strict=True):
        np.testing.assert_allclose(zero_shot.predict([picture], [names])[0], result, atol=1e-5)


def test_the_order_of_the_candidates_does_not_change_what_each_gets(zero_shot: ZeroShot) -> None:
    picture = noise(1)[0]
    one, other = zero_shot.predict([picture, picture], [["Pike", "Zander"], ["Zander", "Pike"]])
    np.testing.assert_allclose(one, other[::-1], atol=1e-5)


def test_pictures_with_different_candidates_share_one_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    network = toy_clip()
    sizes = count_passes(monkeypatch, network, "encode_image")
    ZeroShot(card("zero_shot"), network, CPU).predict(noise(4), [None, ["Pike"], ["Eel"], None])
    assert sizes == [4]


def test_each_name_is_embedded_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = toy_clip()
    passes = count_passes(monkeypatch, network, "encode_text")
    model = ZeroShot(card("zero_shot"), network, CPU)
    assert len(passes) == len(TAXA)  # the card's own, before the first picture
    for _ in range(3):
        model.predict(noise(2), [["Pike", "Zander"], ["Zander", "Eel"]])
        model.predict(noise(1), [None])
    assert len(passes) == len(TAXA) + 3


def test_no_pictures_give_nothing(zero_shot: ZeroShot) -> None:
    assert zero_shot.predict([], []) == []


def test_pictures_without_candidates_are_refused(zero_shot: ZeroShot) -> None:
    with pytest.raises(ValueError, match="2 pictures do not fit 1 lists of candidates"):
        zero_shot.predict(noise(2), [None])


def test_temperature_divides_the_logits() -> None:
    cold, warm = (ZeroShot(card("zero_shot", temperature=t), toy_clip(), CPU) for t in (1.0, 3.0))
    roots = cold.predict(noise(1), [None])[0] ** (1 / 3)
    np.testing.assert_allclose(warm.predict(noise(1), [None])[0], roots / roots.sum(), atol=1e-5)


def test_a_cached_name_is_not_embedded_again() -> None:
    embed = RecordingEmbed()
    cache = NameEmbeddings(embed, capacity=2)
    assert [cache.get(name).item() for name in ("eel", "pike", "eel", "pike")] == [3.0, 4.0, 3.0, 4.0]
    assert embed.names == ["eel", "pike"]


def test_the_name_not_asked_for_longest_goes_first() -> None:
    embed = RecordingEmbed()
    cache = NameEmbeddings(embed, capacity=2)
    for name in ("eel", "pike", "eel", "zander", "eel", "pike"):
        cache.get(name)
        assert len(cache) <= 2
    assert embed.names == ["eel", "pike", "zander", "pike"]


def test_without_client_labels_the_candidates_are_the_cards(zero_shot: ZeroShot) -> None:
    assert zero_shot.taxa_for(None) == zero_shot.card.taxa


def test_client_labels_take_the_taxa_of_the_card_where_known(zero_shot: ZeroShot) -> None:
    tilapia, latin, pike = zero_shot.taxa_for(["tilapia", "Oreochromis niloticus", "Pike"])
    assert (tilapia.label, tilapia.scientific_name) == ("tilapia", "Oreochromis niloticus")
    assert (latin.label, latin.rank) == ("Oreochromis niloticus", Rank.SPECIES)
    assert pike == Taxon(label="Pike")


@pytest.mark.parametrize(("changes", "error", "message"), WRONG_CARDS.values(), ids=WRONG_CARDS)
def test_a_card_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    folder = write_folder(tmp_path, toy_clip(), **{"kind": "zero_shot", **changes})
    with pytest.raises(error, match=message):
        load_zero_shot(folder, CPU)


def test_padding_left_out_changes_no_embedding() -> None:
    network = toy_clip().eval()
    tokens = open_clip.SimpleTokenizer()(["Pike", "a photo of a Pacific bluefin tuna, Thunnus orientalis."])
    with torch.inference_mode():
        shortened, whole = _TextSide(network).encode(tokens), network.encode_text(tokens)
    assert torch.allclose(shortened, whole, atol=1e-6)


@pytest.fixture
def with_lake(tmp_path: Path) -> ZeroShot:
    """A model that holds the toy list, whose embeddings are the first three axes."""
    folder = write_folder(tmp_path / "model", toy_clip(), "zero_shot")
    write_lake_for(tmp_path / "lists", read_card(folder, kind=Kind.ZERO_SHOT))
    return load_zero_shot(folder, CPU, ListFolder(tmp_path / "lists"))


@pytest.fixture
def lake(with_lake: ZeroShot, tmp_path: Path) -> SpeciesList:
    return next(iter(ListFolder(tmp_path / "lists")))


def test_a_list_gives_probabilities_in_its_own_order(with_lake: ZeroShot, lake: SpeciesList) -> None:
    picture = noise(1)[0]
    features = with_lake._embed_pictures([picture])[0, :3]
    result = with_lake.predict([picture], [lake])[0]
    expected = torch.softmax(with_lake._network.logit_scale.exp() * features, dim=0).detach().numpy()
    np.testing.assert_allclose(result, expected, atol=1e-3)
    assert [taxon.label for taxon in with_lake.taxa_for(lake)] == LAKE_LABELS


def test_pictures_with_lists_labels_and_neither_share_a_batch(with_lake: ZeroShot, lake: SpeciesList) -> None:
    pictures: list[Pixels] = noise(5)
    candidates: list[Candidates] = [lake, None, ["Pike", "Eel"], lake, ["Pike", "Eel"]]
    together = with_lake.predict(pictures, candidates)
    assert [len(result) for result in together] == [3, 3, 2, 3, 2]
    for picture, names, result in zip(pictures, candidates, together, strict=True):
        np.testing.assert_allclose(with_lake.predict([picture], [names])[0], result, atol=1e-5)


def test_a_long_list_is_scored_in_parts_without_a_seam() -> None:
    torch.manual_seed(8)
    features, texts = torch.randn(3, 16), torch.randn(700, 16).half()
    whole = features @ texts.float().T
    for rows in (1, 512, 699, 700, 5000):
        torch.testing.assert_close(_similarities(features, texts, rows=rows), whole)


def test_a_model_does_not_start_with_embeddings_of_another(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", toy_clip(), "zero_shot")
    write_lake_for(tmp_path / "lists", card("zero_shot"))
    with pytest.raises(ListError, match="the list 'lake' has no embeddings for these weights"):
        load_zero_shot(folder, CPU, ListFolder(tmp_path / "lists"))
