"""The report tells every part of a run with the right numbers, on one page that needs no other."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.training.report.page_reader import PageReader, decoded
from tests.training.report.toy_run import LABELS, RULE, TEMPERATURE, THRESHOLD
from training.report.page import PARTS, write_report
from training.run_folder import RunFolder

PLOTS = {
    "coverage": "risk_coverage",
    "reliability": "reliability",
    "confusion": "confusion",
    "class-scores": "scores",
    "training": "training",
    "rates": "rates",
    "distribution": "classes",
    "samples": "augmented",
}


@pytest.fixture(scope="module")
def page(run: RunFolder) -> PageReader:
    return PageReader(run.report.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def arrays(run: RunFolder) -> dict[str, np.ndarray]:
    with np.load(run.predictions) as stored:
        return {**stored, "certainty": certainty_by_hand(stored["logits"].astype(np.float64) / TEMPERATURE)}


def certainty_by_hand(scaled: np.ndarray) -> np.ndarray:
    """The rule of the toy card, written out: log odds of the first name and entropy, through the sigmoid."""
    probabilities = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    first = probabilities.max(axis=1)
    entropy = -(probabilities * np.log(probabilities)).sum(axis=1)
    weighed = RULE.intercept + 0.75 * np.log(first / (1 - first)) - 0.2 * entropy
    return 1 / (1 + np.exp(-weighed))


def share(hits: int, pictures: int) -> str:
    return f"{100 * hits / pictures:.1f} %"


def counts(hits: int, pictures: int) -> str:
    return f"{hits} of {pictures})"


def test_every_part_is_there_and_none_is_left_out(page: PageReader):
    assert list(page.parts) == [name for name, _, _ in PARTS]
    assert [name for name, part in page.parts.items() if "Left out" in part.text] == []


def test_the_headline_counts_the_test_pictures(page: PageReader, arrays: dict[str, np.ndarray]):
    is_test = arrays["split"] == "test"
    is_right = (arrays["logits"].argmax(axis=1) == arrays["label"])[is_test & (arrays["domain"] == "expert")]
    accepted = arrays["certainty"][is_test] >= THRESHOLD
    part = page.parts["headline"]
    assert part.row("accuracy, all answered")[0].startswith(share(is_right.sum(), 190))
    assert part.row("accuracy, all answered")[0].endswith(counts(is_right.sum(), 190))
    assert part.row("accepted by the gate")[0].endswith(counts(accepted.sum(), 190))
    wrong = part.row("wrong among accepted")[0]
    assert wrong.endswith(counts((accepted & ~is_right).sum(), accepted.sum()))


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("kaggle31", "kaggle31 (kept back)"),
        ("seafood11", "seafood11 (kept back)"),
        ("bd20", "bd20 (never trained on)"),
        ("milkfish", "milkfish (never trained on)"),
    ],
)
def test_each_source_has_its_row(page: PageReader, arrays: dict[str, np.ndarray], source: str, named: str):
    chosen = (arrays["source"] == source) & (arrays["split"] != "calibration")
    is_right = (arrays["logits"].argmax(axis=1) == arrays["label"])[chosen]
    accepted = arrays["certainty"][chosen] >= THRESHOLD
    pictures, right, taken, wrong, of_all = page.parts["sources"].row(named)
    assert pictures == str(chosen.sum())
    assert right.endswith(counts(is_right.sum(), chosen.sum()))
    assert taken.endswith(counts(accepted.sum(), chosen.sum()))
    assert of_all.endswith(counts((accepted & ~is_right).sum(), chosen.sum()))
    assert wrong == "–" or wrong.endswith(counts((accepted & ~is_right).sum(), accepted.sum()))


@pytest.mark.parametrize(("domain", "pictures"), [("other_species", 70), ("non_fish", 30)])
def test_what_no_label_fits_is_told_as_deferred(
    page: PageReader, arrays: dict[str, np.ndarray], domain: str, pictures: int
):
    deferred = (arrays["certainty"][arrays["domain"] == domain] < THRESHOLD).sum()
    cells = page.parts["sources"].row(domain)
    assert cells[0] == str(pictures)
    assert cells[1].endswith(counts(deferred, pictures))


def test_every_image_can_be_seen_and_is_described(page: PageReader):
    images = [image for part in page.parts.values() for image in part.images]
    assert len(images) > len(PLOTS)
    for image in images:
        assert image["alt"]
        low, high = zip(*decoded(image).convert("RGB").getextrema(), strict=True)
        assert low != high, f"the image {image['alt']!r} is blank"


@pytest.mark.parametrize(("part", "name"), PLOTS.items())
def test_a_plot_is_on_the_page_and_beside_it(page: PageReader, run: RunFolder, part: str, name: str):
    with Image.open(run.plots / f"{name}.png") as beside:
        assert beside.size == decoded(page.parts[part].images[0]).size


def test_the_page_needs_no_other(page: PageReader, run: RunFolder):
    assert [address for address in page.addresses if not address.startswith(("data:", "#"))] == []
    assert "://" not in run.report.read_text(encoding="utf-8")


def test_a_label_is_text_and_nothing_else(page: PageReader):
    assert "script" not in page.tags
    assert LABELS[3] in page.parts["distribution"].text


def test_the_scores_of_each_class_are_told(page: PageReader, arrays: dict[str, np.ndarray]):
    chosen = arrays["split"] == "test"
    labels, answers = arrays["label"][chosen], arrays["logits"][chosen].argmax(axis=1)
    right = ((labels == 1) & (answers == 1)).sum()
    precision, recall, _, pictures = page.parts["class-scores"].row("Perch")
    assert precision == share(right, (answers == 1).sum())
    assert recall == share(right, (labels == 1).sum())
    assert pictures == str((labels == 1).sum())


def test_the_most_confused_pair_is_told_with_its_count(page: PageReader, arrays: dict[str, np.ndarray]):
    chosen = arrays["split"] == "test"
    pairs = list(zip(arrays["label"][chosen], arrays["logits"][chosen].argmax(axis=1), strict=True))
    most = max(pairs.count(pair) for pair in pairs if pair[0] != pair[1])
    true, answer, pictures, _ = page.parts["confusion"].tables[0][1]
    assert int(pictures) == most
    assert pairs.count((LABELS.index(true), LABELS.index(answer))) == most


def test_the_training_curves_tell_the_gap(page: PageReader):
    row = page.parts["training"].row("whole")
    assert row == ["6", "9.0", "0.107", "0.263", "96.0 %", "91.0 %", "+5.0"]


def test_a_frozen_part_has_no_rate_until_it_thaws(page: PageReader):
    assert page.parts["rates"].row("head")[1] == "0.001"
    assert page.parts["rates"].row("backbone")[1] == "2e-05"


def test_the_promise_is_told_in_words(page: PageReader):
    text = page.parts["certificate"].text
    assert "at most 2.0 % are wrong, with 95.0 % confidence, on pictures like the 600 of the calibration set" in text
    assert "accepts 480 (80.0 %), 3 of them wrong" in text


def test_the_scores_of_the_gate_are_compared(page: PageReader):
    assert page.parts["scores-compared"].row("max_softmax")[0] == "0.9000"
    assert page.parts["scores-compared"].row("learned (chosen)")[0] == "0.8480"


def test_the_networks_are_compared(page: PageReader):
    assert page.parts["networks"].row("mobilenet_v2") == ["0.9312", "0.9101"]
    assert page.parts["networks"].row("vgg16") == ["0.8804", "–"]
    assert "Chosen by validation: mobilenet_v2." in page.parts["networks"].text


def test_zero_shot_and_probe_stand_side_by_side(page: PageReader):
    part = page.parts["methods"]
    figures = ["40", "75.0 % (59.8 % to 85.8 %)", "90.0 %", "0.731"]
    assert part.tables[0][1:] == [
        ["all test pictures", "zero shot", *figures],
        ["bd20 (never trained on)", "zero shot", *figures],
        ["bd20 (never trained on)", "linear probe", *figures],
    ]
    assert "Encoder: ViT-T, not trained here." in part.text
    assert "“a photo of a {}.”" in part.text


def test_the_folds_are_told_one_by_one(page: PageReader):
    assert "mean accuracy 92.0 %, standard deviation 1.0 points" in page.parts["folds"].text
    assert page.parts["folds"].row("2") == ["93.0 %"]


def test_the_recipe_its_seed_and_the_versions_are_told(page: PageReader):
    assert "Recipe toy, version toy-3, kind classifier, seed 11." in page.parts["recipe"].text
    assert page.parts["recipe"].row("stages[2].backbone_rate") == ["2e-05"]
    assert page.parts["versions"].row("torch") == ["2.11.0"]
    assert "12.0 minutes" in page.parts["versions"].text


def test_what_crossed_the_published_split_is_told(page: PageReader):
    assert "1500 pictures form 1200 groups" in page.parts["duplicates"].text
    assert "In the published split 321 test pictures have a near-duplicate" in page.parts["duplicates"].text


def test_the_worst_mistakes_come_worst_first(page: PageReader, arrays: dict[str, np.ndarray]):
    is_wrong = arrays["logits"].argmax(axis=1) != arrays["label"]
    worst = arrays["certainty"][is_wrong & (arrays["split"] == "test")].max()
    assert f"certainty {100 * worst:.1f} %" in page.parts["mistakes"].text
    assert "Pictures that no label fits: the 12 most certain of 100 wrong answers" in page.parts["mistakes"].text


MISSING = [
    ("recipe", ["recipe", "mistakes"]),
    ("versions", ["versions"]),
    ("history", ["training"]),
    ("rates", ["rates"]),
    ("classes", ["distribution"]),
    ("metrics", ["networks", "folds", "methods"]),
    ("gate", ["scores-compared"]),
    ("duplicates", ["duplicates"]),
    ("augmented", ["samples"]),
    ("predictions", ["headline", "sources", "coverage", "confusion", "class-scores"]),
]


@pytest.fixture(scope="module")
def bare_page(tmp_path_factory: pytest.TempPathFactory) -> PageReader:
    run = RunFolder(tmp_path_factory.mktemp("bare"))
    return PageReader(write_report(run).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "parts"), MISSING, ids=[name for name, _ in MISSING])
def test_a_missing_file_is_named_where_it_is_missed(bare_page: PageReader, run: RunFolder, name: str, parts: list[str]):
    file = getattr(run, name)
    assert file.is_file()  # the contract of the folder, not a name of this test
    for part in parts:
        assert f"Left out: The run folder has no {file.name}." in bare_page.parts[part].text
    assert bare_page.parts[parts[0]].images == []


def test_a_bare_folder_leaves_out_every_part(bare_page: PageReader):
    assert [name for name, part in bare_page.parts.items() if "Left out" not in part.text] == []
