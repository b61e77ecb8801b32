"""Options are read strictly, and a refusal says what is allowed."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fishgate.errors import InvalidOption
from fishgate.options import (
    LIST_NAME_PATTERN,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_TOP_K,
    Options,
    options_from_fields,
    options_to_fields,
)

TOP_K = r"top_k must be a whole number from 1 to 50, got "
THRESHOLD = r"threshold must be a number from 0 to 1, got "
LABELS = r"labels must be a JSON list of 1 to 100 names, got "
LABEL = r"each of labels must be a text of 1 to 100 printable characters, got "
LIST = r"species_list must be the name of a list, 1 to 64 of a-z, 0-9, '_' and '-', got "
TWICE = r"labels must differ from each other"

GOOD = {
    "nothing": ({}, Options()),
    "empty fields": ({"top_k": "", "labels": " ", "threshold": ""}, Options()),
    "least top_k": ({"top_k": "1"}, Options(top_k=1)),
    "most top_k": ({"top_k": "50"}, Options(top_k=50)),
    "spaces": ({"top_k": " 7 "}, Options(top_k=7)),
    "threshold 0": ({"threshold": "0"}, Options(threshold=0.0)),
    "threshold 1": ({"threshold": "1.0"}, Options(threshold=1.0)),
    "threshold in powers": ({"threshold": "5e-1"}, Options(threshold=0.5)),
    "labels": ({"labels": '["Trout", " Sea bass "]'}, Options(labels=("Trout", "Sea bass"))),
    "labels beyond ASCII": (
        {"labels": '["Forelle", "鱒", "Lachs\\u00e4hnlich"]'},
        Options(labels=("Forelle", "鱒", "Lachsähnlich")),
    ),
    "most labels": (
        {"labels": json.dumps([str(i) for i in range(100)])},
        Options(labels=tuple(str(i) for i in range(100))),
    ),
    "species list": ({"species_list": " lake_2-b "}, Options(species_list="lake_2-b")),
    "longest name of a list": ({"species_list": "x" * 64}, Options(species_list="x" * 64)),
    "longest label": ({"labels": json.dumps(["x" * 100])}, Options(labels=("x" * 100,))),
}

BAD = {
    "unknown option": ({"topk": "3"}, r"unknown option 'topk'; allowed: top_k, labels, threshold, species_list$"),
    "top_k 0": ({"top_k": "0"}, TOP_K + "'0'"),
    "top_k 51": ({"top_k": "51"}, TOP_K + "'51'"),
    "negative top_k": ({"top_k": "-1"}, TOP_K),
    "fractional top_k": ({"top_k": "1.5"}, TOP_K),
    "top_k in words": ({"top_k": "five"}, TOP_K),
    "top_k in other digits": ({"top_k": "٣"}, TOP_K),
    "endless top_k": ({"top_k": "9" * 10_000}, TOP_K),
    "threshold above 1": ({"threshold": "1.01"}, THRESHOLD + "'1.01'"),
    "negative threshold": ({"threshold": "-0.1"}, THRESHOLD),
    "threshold nan": ({"threshold": "nan"}, THRESHOLD),
    "threshold infinity": ({"threshold": "inf"}, THRESHOLD),
    "threshold in words": ({"threshold": "high"}, THRESHOLD),
    "labels without JSON": ({"labels": "Trout, Salmon"}, LABELS),
    "labels as object": ({"labels": '{"0": "Trout"}'}, LABELS),
    "labels as text": ({"labels": '"Trout"'}, LABELS),
    "no labels": ({"labels": "[]"}, LABELS),
    "too many labels": ({"labels": json.dumps([str(i) for i in range(101)])}, LABELS),
    "deeply nested": ({"labels": "[" * 100_000}, LABELS),
    "label that is a number": ({"labels": "[1]"}, LABEL + "'1'"),
    "label that is null": ({"labels": "[null]"}, LABEL),
    "blank label": ({"labels": '["  "]'}, LABEL),
    "long label": ({"labels": json.dumps(["x" * 101])}, LABEL),
    "label with a line break": ({"labels": '["Tr\\nout"]'}, LABEL),
    "label with half a character": ({"labels": '["\\ud800"]'}, LABEL),
    "list in capitals": ({"species_list": "Lake"}, LIST + "'Lake'"),
    "list as path": ({"species_list": "../lake"}, LIST),
    "list with an ending": ({"species_list": "lake.csv"}, LIST),
    "long name of a list": ({"species_list": "x" * 65}, LIST),
    "labels and list": (
        {"labels": '["Trout"]', "species_list": "lake"},
        "labels and species_list were given; choose one of",
    ),
    "same label twice": ({"labels": '["Trout", "trout "]'}, TWICE),
}

LABEL_TEXTS = (
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=MAX_LABEL_CHARACTERS)
    .map(str.strip)
    .filter(lambda text: text and text.isprintable())
)
LABELS_OR_LIST = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"labels": st.lists(LABEL_TEXTS, min_size=1, max_size=MAX_LABELS, unique_by=str.casefold).map(tuple)}
    ),
    st.fixed_dictionaries({"species_list": st.from_regex(LIST_NAME_PATTERN, fullmatch=True)}),
)
ALL_OPTIONS = st.builds(
    lambda top_k, threshold, names: Options(top_k=top_k, threshold=threshold, **names),
    st.integers(1, MAX_TOP_K),
    st.none() | st.floats(0.0, 1.0),
    LABELS_OR_LIST,
)


@pytest.mark.parametrize(("form", "options"), GOOD.values(), ids=GOOD)
def test_a_good_option_is_read(form: dict[str, str], options: Options) -> None:
    assert options_from_fields(form) == options


@pytest.mark.parametrize(("form", "message"), BAD.values(), ids=BAD)
def test_a_bad_option_is_refused_with_what_is_allowed(form: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidOption, match=message):
        options_from_fields(form)


def test_a_refusal_does_not_send_a_huge_value_back() -> None:
    with pytest.raises(InvalidOption) as caught:
        options_from_fields({"threshold": "x" * 100_000})
    assert len(str(caught.value)) < 200


@given(ALL_OPTIONS)
def test_options_survive_the_form(options: Options) -> None:
    assert options_from_fields(options_to_fields(options)) == options


@given(st.dictionaries(st.sampled_from(("top_k", "labels", "threshold", "species_list", "other")), st.text()))
def test_any_text_gives_options_or_an_invalid_option(form: dict[str, str]) -> None:
    with contextlib.suppress(InvalidOption):
        assert isinstance(options_from_fields(form), Options)
