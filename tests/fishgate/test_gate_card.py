"""A rule or a certificate that makes no sense in itself is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from fishgate.gate_card import Certificate, GateRule

FEATURES = {"file": "gate.safetensors", "sha256": "0" * 64}

RIGHT_RULES: dict[str, dict[str, Any]] = {
    "max_softmax": {"weights": {"log_odds": 1.0}},
    "margin": {"weights": {"margin": 3.0}},
    "energy": {"weights": {"energy": 0.4}},
    "feature_distance": {"weights": {"feature_distance": -2.0}, "features": FEATURES},
    "learned": {"weights": {"log_odds": 1.0, "entropy": -0.2, "feature_distance": -2.0}, "features": FEATURES},
}

WRONG_RULES = {
    "max_softmax with margin": (
        {"score": "max_softmax", "weights": {"log_odds": 1.0, "margin": 1.0}},
        "the score 'max_softmax' weighs log_odds only, not 'margin'",
    ),
    "margin with log odds": ({"score": "margin"}, "the score 'margin' weighs margin only, not 'log_odds'"),
    "energy with entropy": ({"score": "energy", "weights": {"entropy": 1.0}}, "weighs energy only, not 'entropy'"),
    "distance without features": (
        {"score": "feature_distance", "weights": {"feature_distance": -1.0}},
        "features must be given exactly if feature_distance has a weight",
    ),
    "features without distance": ({"features": FEATURES}, "exactly if feature_distance has a weight"),
    "no weights": ({"weights": {}}, "weights"),
    "unknown measure": ({"weights": {"luck": 1.0}}, "weights.luck"),
    "unknown score": ({"score": "luck"}, "score"),
    "endless weight": ({"weights": {"log_odds": float("inf")}}, "finite"),
    "no number": ({"intercept": float("nan")}, "finite"),
}

CERTIFICATE: dict[str, Any] = {
    "risk": 0.02,
    "confidence": 0.95,
    "method": "counted",
    "pictures": 300,
    "accepted": 220,
    "wrong": 1,
    "coverage": 0.7333,
    "data_sha256": "a" * 64,
    "model_sha256": "b" * 64,
}

WRONG_CERTIFICATES = {
    "more accepted than there were": (
        {"accepted": 301, "coverage": 1.0},
        "301 accepted are more than the 300 pictures",
    ),
    "more wrong than accepted": ({"wrong": 221}, "221 wrong are more than the 220 accepted"),
    "another coverage": ({"coverage": 0.735}, r"coverage 0\.735 is not 220 accepted of 300 pictures"),
    "its own count breaks it": ({"wrong": 5}, r"5 wrong of 220 accepted are above the risk 0\.02"),
    "no pictures": ({"pictures": 0}, "pictures"),
    "certain": ({"confidence": 1.0}, "confidence"),
    "no risk": ({"risk": 0.0}, "risk"),
    "no fingerprint": ({"model_sha256": ""}, "model_sha256"),
}


@pytest.mark.parametrize("score", RIGHT_RULES)
def test_a_rule_weighs_what_its_score_reads(score: str) -> None:
    value = {"score": score, "intercept": 0.1, **RIGHT_RULES[score]}
    assert GateRule.model_validate(value).model_dump(mode="json", exclude_none=True) == value


@pytest.mark.parametrize(("changes", "message"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_wrong_rule_is_refused(changes: dict[str, Any], message: str) -> None:
    value = {"score": "learned", "intercept": 0.0, "weights": {"log_odds": 1.0}, **changes}
    with pytest.raises(ValidationError, match=message):
        GateRule.model_validate(value)


@pytest.mark.parametrize("coverage", [220 / 300, 0.7333, 0.733], ids=["exact", "four places", "three places"])
def test_a_coverage_may_be_rounded(coverage: float) -> None:
    assert Certificate.model_validate({**CERTIFICATE, "coverage": coverage}).accepted == 220


@pytest.mark.parametrize(("changes", "message"), WRONG_CERTIFICATES.values(), ids=WRONG_CERTIFICATES)
def test_a_certificate_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Certificate.model_validate({**CERTIFICATE, **changes})
