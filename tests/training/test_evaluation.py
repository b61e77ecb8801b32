"""The photographs are read as the server reads them, and the figures count right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fishgate.images import open_picture
from fishgate.preprocessing import Interpolation, Preprocessing, ResizeMode, to_pixels
from training.evaluation import foreign_figures, known_figures, labels_of, predict_photos
from training.photos import Photo, read_manifest

PREPROCESSING = Preprocessing(
    width_px=16,
    height_px=16,
    resize_mode=ResizeMode.SQUASH,
    interpolation=Interpolation.BILINEAR,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
PROBABILITIES = np.float32([[0.9, 0.06, 0.04], [0.2, 0.7, 0.1], [0.8, 0.1, 0.1], [0.3, 0.3, 0.4]])


def test_figures_of_known_fish():
    figures = known_figures(PROBABILITIES, np.array([0, 1, 1, 2]), threshold=0.7)
    assert figures == {
        "photographs": 4,
        "accuracy": 0.75,
        "accuracy_top_5": 1.0,
        "accepted": 0.75,
        "wrong_among_accepted": 0.3333,
    }


def test_figures_of_things_that_no_label_fits():
    assert foreign_figures(PROBABILITIES, threshold=0.75, below="deferred") == {"photographs": 4, "deferred": 0.5}


def test_nothing_accepted_is_nothing_wrong():
    figures = known_figures(PROBABILITIES, np.array([0, 1, 1, 2]), threshold=0.95)
    assert (figures["accepted"], figures["wrong_among_accepted"]) == (0.0, 0.0)


def test_labels_are_found_whatever_the_case():
    photos = [Photo("a.png", "kaggle31", "expert", "Knifefish", "g1")]
    assert labels_of(photos, {"knifefish": 20}).tolist() == [20]


def test_photographs_reach_the_model_in_order_and_as_in_serving(tmp_path: Path):
    photos = [Photo(f"{grey}.png", "kaggle31", "expert", "Trout", f"g{grey}") for grey in range(0, 250, 5)]
    for photo in photos:
        Image.new("RGB", (40, 20), (int(Path(photo.path).stem), 0, 0)).save(tmp_path / photo.path)
    reds = predict_photos(lambda batch: [p[0, 0].astype(np.float32) for p in batch], photos, tmp_path, PREPROCESSING)
    assert reds[:, 0].tolist() == list(range(0, 250, 5))
    served = to_pixels(open_picture((tmp_path / "5.png").read_bytes()), PREPROCESSING)
    assert served.shape == (16, 16, 3)


def test_no_figure_comes_of_no_photographs(tmp_path: Path):
    with pytest.raises(ValueError, match="there are no photographs to evaluate"):
        predict_photos(lambda batch: [], [], tmp_path, PREPROCESSING)


def test_an_unknown_domain_in_the_manifest_is_refused(tmp_path: Path):
    header = "path,source,domain,expert_class,scientific_or_source_name,group,sha256"
    (tmp_path / "manifest.csv").write_text(f"{header}\na.jpg,kaggle31,whales,,,g1,00\n")
    with pytest.raises(ValueError, match="unknown domain 'whales' in the manifest; allowed: expert, other_species"):
        read_manifest(tmp_path)
