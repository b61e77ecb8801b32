"""A pack gets its certificate from the pictures it was calibrated on, and no other pack does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fishgate.errors import CardError
from fishgate.model_card import CARD_FILE, Kind, ModelCard, read_card, write_card
from fishgate.networks import build_network
from tests.toys import card_json, write_folder
from tests.training.toy_scenes import save_scene
from training.calibration_pictures import drop_stale_certificate, of_photos, read_pack_card
from training.certification import certify
from training.certifying import (
    Promise,
    certified,
    check_predictions,
    data_fingerprint,
    first_of_each_group,
    what_is_missing,
    write_to_packs,
)
from training.photos import Photo
from training.predictions import Predictions, predictions_of
from training.recertifying import certify_pack, table

PICTURES = 90
PROMISE = Promise(risk=0.1, confidence=0.9)  # 22 accepted without a mistake are enough
CNN = {"library": "fishgate", "name": "small_cnn"}
NAMES = ("Tilapia", "Gourami", "Mystery fish")


class Drawn:
    """Drawn pictures, all labelled with the first output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def label_of(self, photo: Photo) -> int:
        return 0


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    torch.manual_seed(1)
    architecture = ModelCard.model_validate(card_json(architecture=CNN)).architecture
    network = build_network(architecture, len(NAMES)).eval()
    return write_folder(folder, network, architecture=CNN)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PICTURES):
        save_scene(number, folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def predictions(pack: Path, photos: Path) -> Predictions:
    """What the pack says, where its every answer is called right."""
    listed = [Photo(f"{number:02}.png", "drawn", "expert", "Tilapia", f"g{number}") for number in range(PICTURES)]
    parts = {"validation": listed[:30], "calibration": listed[30:]}
    found = predictions_of(pack, Drawn(photos), parts)
    return replace(found, label=found.logits.argmax(axis=1))


def certify_drawn(predictions: Predictions, pack: Path, photos: Path):
    plan, calibration = predictions.of("validation"), predictions.of("calibration")
    card = read_pack_card(pack)
    return certified(card, PROMISE, plan=plan, calibration=calibration, pack=pack, photos=photos)


def copy_of(pack: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in pack.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_model_without_mistakes_gets_a_certificate_that_loads(
    predictions: Predictions, pack: Path, photos: Path, tmp_path: Path
):
    card, chosen = certify_drawn(predictions, pack, photos)
    write_card(card, copy := copy_of(pack, tmp_path / "copy"))
    read = read_card(copy, kind=Kind.EXPERT)
    certificate = read.gate.certificate
    assert certificate
    assert (certificate.risk, certificate.confidence, certificate.pictures) == (0.1, 0.9, 60)
    assert (certificate.accepted, certificate.wrong) == (chosen.accepted, 0)
    assert certificate.coverage > 0.8
    assert read.gate.threshold == chosen.threshold
    assert "at which at most 10.0% of the accepted answers are wrong with 90% confidence" in read.gate.evidence


def test_a_model_that_errs_gets_none_and_defers_everything(predictions: Predictions, pack: Path, photos: Path):
    wrong = replace(predictions, label=np.where(np.arange(PICTURES) % 3 == 0, -1, predictions.label))
    card, chosen = certify_drawn(wrong, pack, photos)
    assert (card.gate.certificate, card.gate.threshold, chosen.is_certified) == (None, 1.0, False)
    assert "Nothing could be certified, so every picture is deferred." in card.gate.evidence


def test_a_certificate_does_not_fit_the_card_when_anything_that_decides_is_changed(
    predictions: Predictions, pack: Path, photos: Path, tmp_path: Path
):
    card, _ = certify_drawn(predictions, pack, photos)
    copy = copy_of(pack, tmp_path / "copy")
    write_card(card.model_copy(update={"temperature": 2.0}), copy)
    with pytest.raises(CardError, match="run training/certify again"):
        read_card(copy, kind=Kind.EXPERT)
    drop_stale_certificate(copy)
    assert read_card(copy, kind=Kind.EXPERT).gate.certificate is None


def test_a_certificate_that_fits_is_not_dropped(predictions: Predictions, pack: Path, photos: Path, tmp_path: Path):
    card, _ = certify_drawn(predictions, pack, photos)
    write_card(card, copy := copy_of(pack, tmp_path / "copy"))
    drop_stale_certificate(copy)
    assert read_card(copy, kind=Kind.EXPERT).gate.certificate == card.gate.certificate


def test_predictions_of_other_weights_are_refused(predictions: Predictions, pack: Path, photos: Path):
    others = replace(predictions, weights_sha256=np.array("0" * 64))
    with pytest.raises(ValueError, match=r"the predictions are of weights 0{64}, the pack holds .*; predict again"):
        check_predictions(read_pack_card(pack), others, pack=pack, photos=photos)


def test_predictions_that_the_pack_would_not_give_are_refused(predictions: Predictions, pack: Path, photos: Path):
    changed = replace(predictions, logits=predictions.logits + np.float32(0.2))
    with pytest.raises(
        ValueError, match=r"the pack gives other logits than the predictions \(by 0\.2, allowed 0\.05\)"
    ):
        check_predictions(read_pack_card(pack), changed, pack=pack, photos=photos)


def test_of_a_group_one_picture_takes_part(predictions: Predictions):
    grouped = replace(predictions, group=np.array([f"g{number // 3}" for number in range(PICTURES)]))
    assert first_of_each_group(grouped).path.tolist() == [f"{number:02}.png" for number in range(0, PICTURES, 3)]


def test_the_fingerprint_knows_order_from_content(predictions: Predictions, pack: Path, photos: Path, tmp_path: Path):
    card, few = read_pack_card(pack), predictions.where(np.arange(PICTURES) < 3)
    before = data_fingerprint(few, card, photos)
    assert before == data_fingerprint(few.where(np.array([2, 0, 1])), card, photos)
    assert before != data_fingerprint(replace(few, label=few.label + 1 - 2 * (few.label > 1)), card, photos)
    assert before != data_fingerprint(few.where(np.array([0, 1])), card, photos)
    for number in range(3):
        save_scene(number + 500 * (number == 1), tmp_path / f"{number:02}.png")
    assert before != data_fingerprint(few, card, tmp_path)


def test_a_card_is_written_only_where_the_weights_are_the_same(pack: Path, tmp_path: Path):
    same, other, empty = copy_of(pack, tmp_path / "same"), tmp_path / "other", tmp_path / "empty"
    write_folder(other, torch.nn.Linear(2, 2), architecture=CNN)
    before = (other / CARD_FILE).read_bytes()
    card = read_pack_card(pack).model_copy(update={"version": "new"})
    assert write_to_packs(card, same, other, empty) == [same]
    assert read_pack_card(same).version == "new"
    assert (other / CARD_FILE).read_bytes() == before


MISSING = {  # certainty of all, right, wrong → what would be needed
    "too few for any test": (21, 0, [], "takes 22 accepted answers without a mistake; there are 21 pictures"),
    "as wrong as may be": (45, 5, [0.5], "5 of 50 accepted answers are wrong, which is not below 10.0%: no number"),
    "nearly": (21, 1, [0.5], "1 of 22 accepted answers are wrong: at that rate some 65 accepted answers"),
}


@pytest.mark.parametrize(("right", "wrong", "thresholds", "message"), MISSING.values(), ids=MISSING)
def test_what_would_be_needed_is_told(right: int, wrong: int, thresholds: list[float], message: str):
    is_right = np.repeat([True, False], [right, wrong])
    chosen = certify(np.full(len(is_right), 0.9), is_right, thresholds=np.array(thresholds), risk=0.1, confidence=0.9)
    assert message in what_is_missing(chosen)


def write_class_folders(folder: Path, pack: Path) -> None:
    """Sort pictures into folders by what the pack answers, a few into that of a fish it does not know."""
    for number in range(PICTURES):
        save_scene(number, folder / "all" / f"{number:02}.png")
    listed = [Photo(f"all/{number:02}.png", "drawn", "expert", "Tilapia", "") for number in range(PICTURES)]
    answers = predictions_of(pack, Drawn(folder), {"calibration": listed}).logits.argmax(axis=1)
    for number, answer in enumerate(answers.tolist()):
        name = "Unknown fish" if number >= PICTURES - 2 else NAMES[answer]
        (folder / name).mkdir(exist_ok=True)
        (folder / "all" / f"{number:02}.png").rename(folder / name / f"{number:02}.png")
    (folder / "all").rmdir()


def test_a_pack_is_certified_on_an_operators_own_class_folders(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    copy = copy_of(pack, tmp_path / "copy")
    write_class_folders(tmp_path / "fish", pack)
    chosen = certify_pack(copy, tmp_path / "fish", PROMISE, seed=7)
    certificate = read_card(copy, kind=Kind.EXPERT).gate.certificate
    assert chosen.is_certified
    assert certificate
    assert certificate.pictures == PICTURES - PICTURES // 5
    told = capsys.readouterr().out
    assert f"at most 10.0% wrong with 90% confidence: threshold {chosen.threshold:.4f}" in told
    assert f"written: the card in {copy}" in told


def test_an_operators_pictures_for_planning_do_not_calibrate(pack: Path, tmp_path: Path):
    write_class_folders(tmp_path / "fish", pack)
    pictures = of_photos(pack, tmp_path / "fish", seed=7)
    assert not set(pictures.plan.group) & set(pictures.calibration.group)
    assert len(pictures.plan) + len(pictures.calibration) == PICTURES
    unknown = np.char.startswith(pictures.calibration.path, "Unknown fish")
    assert set(pictures.calibration.label[unknown]) <= {-1}


def test_the_table_tells_both_splits(predictions: Predictions, pack: Path, photos: Path):
    card, chosen = certify_drawn(predictions, pack, photos)
    test = predictions.of("validation")
    lines = table(card, chosen, replace(test, label=np.full(len(test), -1)), pack)
    accepted = int(lines[3].split()[2])
    assert lines[2].split()[:4] == ["calibration", "60", str(chosen.accepted), "0"]
    assert lines[3].split() == ["test", "30", str(accepted), str(accepted), f"{accepted / 30:.1%}", "100.00%"]


COMMAND_LINES = {
    "help": (["--help"], 0, "Choose the least threshold"),
    "neither run nor pack": ([], 2, "one of the arguments --run --pack is required"),
    "a pack without pictures": (["--pack", "x"], 2, "--pack and --photos go together"),
    "a run with pictures": (["--run", "x", "--photos", "y"], 2, "--pack and --photos go together"),
    "a risk of two": (["--run", "x", "--risk", "2"], 2, "'2' is no such fraction; allowed: between 0 and 1"),
}


@pytest.mark.parametrize(("arguments", "code", "message"), COMMAND_LINES.values(), ids=COMMAND_LINES)
def test_command_line(arguments: list[str], code: int, message: str):
    done = subprocess.run([sys.executable, "training/certify", *arguments], capture_output=True, text=True)
    assert done.returncode == code
    assert message in done.stdout + done.stderr
