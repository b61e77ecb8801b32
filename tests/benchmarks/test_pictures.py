"""The drawn pictures are what the benchmarks need of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import pictures
from fishgate.errors import FishgateError
from fishgate.images import open_picture
from fishgate.wire import request_from_fields


def test_a_photograph_has_texture() -> None:
    picture = pictures.photograph(3)
    assert open_picture(picture).size == pictures.PHOTO_PX
    assert 40_000 < len(picture) < 250_000  # a flat one would have 5,000 bytes and cost nothing to decode


def test_photographs_differ_and_come_again() -> None:
    assert pictures.photograph(1) == pictures.photograph(1) != pictures.photograph(2)


def test_bright_and_dark_lie_on_both_sides_of_the_paced_gate() -> None:
    bright, dark = (np.asarray(open_picture(one())) for one in (pictures.bright_picture, pictures.dark_picture))
    assert bright.mean() > 170
    assert dark.mean() < 90


def test_pictures_travel_through_a_folder(tmp_path: Path) -> None:
    drawn = pictures.photographs(3, size_px=pictures.SMALL_PX)
    pictures.write_all(drawn, tmp_path / "pictures")
    assert pictures.read_all(tmp_path / "pictures") == drawn


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # the workers quieten it too
@pytest.mark.parametrize("bad", pictures.bad_requests(), ids=lambda bad: bad.name)
def test_a_bad_request_fails_with_its_code(bad: pictures.BadRequest) -> None:
    fields = {"body": bad.body} if isinstance(bad.body, bytes) else dict(bad.body)
    with pytest.raises(FishgateError) as caught:
        open_picture(request_from_fields(fields).picture)
    assert caught.value.code == bad.code
