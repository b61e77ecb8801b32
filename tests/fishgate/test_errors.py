"""Every error has its place in the tree, its code and its status."""

from __future__ import annotations

import inspect
import re

import pytest

from fishgate import errors
from fishgate.errors import REQUEST_ERRORS, FishgateError, InternalError, error_for_code

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if value.__module__ == errors.__name__]

CODES = {
    "EmptyImage": ("empty_image", 400),
    "InvalidOption": ("invalid_option", 400),
    "UnsupportedImage": ("unsupported_image", 415),
    "DamagedImage": ("damaged_image", 422),
    "ImageTooLarge": ("image_too_large", 413),
    "Overloaded": ("overloaded", 503),
    "TimedOut": ("timed_out", 504),
    "InternalError": ("internal", 500),
}


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_descends_from_the_root(error: type[Exception]) -> None:
    assert issubclass(error, FishgateError)


def test_the_errors_of_requests_have_the_agreed_codes_and_statuses() -> None:
    assert {error.__name__: (error.code, error.status) for error in REQUEST_ERRORS} == CODES


def test_each_code_belongs_to_one_error_only() -> None:
    assert len({error.code for error in REQUEST_ERRORS}) == len(REQUEST_ERRORS)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_can_be_answered_with_a_known_code(error: type[FishgateError]) -> None:
    assert (error.code, error.status) in CODES.values()


def test_the_drawn_tree_names_every_error_below_its_parent() -> None:
    tree = errors.__doc__ or ""
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)", tree, re.MULTILINE)
    assert [name for name in drawn if name in {error.__name__ for error in CLASSES}] == [
        error.__name__ for error in _depth_first(FishgateError)
    ]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_a_code_beside_a_name_in_the_drawn_tree_is_the_real_one(error: type[FishgateError]) -> None:
    drawn = re.search(rf"\b{error.__name__} +(\d+) (\w+)", errors.__doc__ or "")
    assert drawn is None or (int(drawn[1]), drawn[2]) == (error.status, error.code)


@pytest.mark.parametrize("error", REQUEST_ERRORS, ids=lambda error: error.code)
def test_a_code_leads_back_to_its_error(error: type[FishgateError]) -> None:
    found = error_for_code(error.code, "what was wrong")
    assert type(found) is error
    assert str(found) == "what was wrong"


def test_an_unknown_code_becomes_an_internal_error() -> None:
    assert type(error_for_code("no_such_code", "?")) is InternalError


def _depth_first(error: type[FishgateError]) -> list[type[FishgateError]]:
    children = [child for child in error.__subclasses__() if child.__module__ == errors.__name__]
    return [error, *(found for child in children for found in _depth_first(child))]
