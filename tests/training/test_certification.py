"""A certified threshold: by hand on small cases, and by simulation over many draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from training.certification import Chosen, certify, least_accepted, p_values, thresholds_to_try

RISK, CONFIDENCE = 0.02, 0.95

# accepted, wrong → the chance of so few wrong answers at a risk of 2 %, worked out from the binomial formula.
BY_HAND = {
    "148 without a mistake are one too few": (148, 0, 0.98**148, False),
    "149 without a mistake are enough": (149, 0, 0.98**149, True),
    "235 with one are one too few": (235, 1, 0.98**235 + 235 * 0.02 * 0.98**234, False),
    "236 with one are enough": (236, 1, 0.98**236 + 236 * 0.02 * 0.98**235, True),
    "nothing accepted proves nothing": (0, 0, 1.0, False),
    "all wrong": (10, 10, 1.0, False),
}


@pytest.mark.parametrize(("accepted", "wrong", "chance", "passes"), BY_HAND.values(), ids=BY_HAND)
def test_p_value_by_hand(accepted: int, wrong: int, chance: float, passes: bool):
    found = p_values(np.array([accepted]), np.array([wrong]), risk=RISK)[0]
    assert found == pytest.approx(chance)
    assert (found <= 1.0 - CONFIDENCE) is np.bool_(passes)


def test_a_test_passes_just_where_the_upper_clopper_pearson_limit_is_below_the_risk():
    accepted, wrong = (array.ravel() for array in np.meshgrid(np.arange(10, 1500, 37), np.arange(10)))
    limit = beta.ppf(CONFIDENCE, wrong + 1, accepted - wrong)
    passes = p_values(accepted, wrong, risk=RISK) <= 1.0 - CONFIDENCE
    np.testing.assert_array_equal(passes, limit <= RISK)


def test_p_values_are_exact_though_a_share_is_rounded():
    accepted, wrong = (array.ravel() for array in np.meshgrid(np.arange(1, 800), np.arange(6)))
    is_possible = wrong <= accepted
    accepted, wrong = accepted[is_possible], wrong[is_possible]
    np.testing.assert_allclose(p_values(accepted, wrong, risk=RISK), binom.cdf(wrong, accepted, RISK), atol=1e-12)


def answers(*parts: tuple[float, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a few certainties: how certain, how many right, how many wrong."""
    certainty = np.concatenate([np.full(right + wrong, value) for value, right, wrong in parts])
    is_right = np.concatenate([np.repeat([True, False], [right, wrong]) for _, right, wrong in parts])
    return certainty, is_right


STRICT, LAX, LAXER = 0.9, 0.6, 0.3
CASES = {
    "all pass: the laxest": ([(STRICT, 200, 0), (LAX, 100, 1), (LAXER, 100, 0)], (LAXER, 401, 1)),
    "the last fails": ([(STRICT, 200, 0), (LAX, 100, 1), (LAXER, 50, 50)], (LAX, 301, 1)),
    "none after one that fails, though it would pass": (
        [(STRICT, 200, 0), (LAX, 0, 9), (LAXER, 2000, 0)],
        (STRICT, 200, 0),
    ),
    "a certainty equal to the threshold is accepted": ([(STRICT, 149, 0), (LAX, 0, 99)], (STRICT, 149, 0)),
}


@pytest.mark.parametrize(("parts", "expected"), CASES.values(), ids=CASES)
def test_the_laxest_threshold_before_the_first_that_fails(
    parts: list[tuple[float, int, int]], expected: tuple[float, int, int]
):
    certainty, is_right = answers(*parts)
    thresholds = np.array([STRICT, LAX, LAXER])
    chosen = certify(certainty, is_right, thresholds=thresholds, risk=RISK, confidence=CONFIDENCE)
    assert (chosen.threshold, chosen.accepted, chosen.wrong) == expected
    assert chosen.is_certified
    assert chosen.coverage == pytest.approx(expected[1] / len(certainty))


def test_where_the_strictest_fails_nothing_is_certified_and_nothing_accepted():
    certainty, is_right = answers((STRICT, 148, 0), (LAX, 5000, 0))
    chosen = certify(certainty, is_right, thresholds=np.array([STRICT, LAX]), risk=RISK, confidence=CONFIDENCE)
    assert (chosen.is_certified, chosen.threshold, chosen.accepted) == (False, 1.0, 0)
    assert (chosen.first_accepted, chosen.first_wrong) == (148, 0)


def test_without_thresholds_nothing_is_certified():
    chosen = certify(*answers((0.9, 9, 0)), thresholds=np.array([]), risk=RISK, confidence=CONFIDENCE)
    assert (chosen.is_certified, chosen.first_accepted) == (False, 0)


@pytest.mark.parametrize(
    ("risk", "confidence", "name"), [(0.0, 0.95, "risk"), (1.0, 0.95, "risk"), (0.02, 1.0, "confidence")]
)
def test_a_fraction_that_promises_nothing_is_refused(risk: float, confidence: float, name: str):
    with pytest.raises(ValueError, match=f"{name} is a fraction between 0 and 1, both excluded; seen"):
        certify(*answers((0.9, 9, 0)), thresholds=np.array([0.5]), risk=risk, confidence=confidence)


def test_thresholds_are_tried_from_the_strict_to_the_lax_and_have_four_places():
    certainty = np.random.default_rng(1).random(500)
    found = thresholds_to_try(certainty, pictures=1000, risk=RISK, confidence=CONFIDENCE)
    assert (np.diff(found) < 0).all()
    np.testing.assert_array_equal(found, np.round(found, 4))
    assert (certainty >= found[0]).mean() == pytest.approx(0.4, abs=0.02)
    assert (certainty >= found[-1]).mean() == pytest.approx(1.0, abs=0.01)


def test_with_few_pictures_the_first_threshold_accepts_enough_for_a_test_to_pass():
    certainty = np.random.default_rng(1).random(500)
    found = thresholds_to_try(certainty, pictures=300, risk=RISK, confidence=CONFIDENCE)
    assert (certainty >= found[0]).mean() * 300 > least_accepted(risk=RISK, confidence=CONFIDENCE)
    assert len(thresholds_to_try(certainty, pictures=200, risk=RISK, confidence=CONFIDENCE)) == 0


def test_thresholds_need_pictures():
    with pytest.raises(
        ValueError, match="thresholds are taken from pictures that do not calibrate, and there are none"
    ):
        thresholds_to_try(np.array([]), pictures=9, risk=RISK, confidence=CONFIDENCE)


LEAST_CASES = {"no mistake": (0.02, 0.95, 149), "a laxer risk": (0.1, 0.95, 29), "less confidence": (0.02, 0.8, 80)}


@pytest.mark.parametrize(("risk", "confidence", "least"), LEAST_CASES.values(), ids=LEAST_CASES)
def test_least_number_of_accepted_answers(risk: float, confidence: float, least: int):
    assert (
        least_accepted(risk=risk, confidence=confidence)
        == least
        == math.ceil(math.log(1 - confidence) / math.log(1 - risk))
    )


def test_with_mistakes_more_are_needed_and_at_the_risk_itself_no_number_will_do():
    needed = least_accepted(risk=RISK, confidence=CONFIDENCE, wrong_fraction=0.01)
    assert binom.cdf(math.ceil(0.01 * needed), needed, RISK) <= 0.05
    assert 500 < needed < 1000
    with pytest.raises(ValueError, match=r"2\.0% wrong can never prove at most 2\.0% wrong"):
        least_accepted(risk=RISK, confidence=CONFIDENCE, wrong_fraction=0.02)


# --- over many draws -------------------------------------------------------------------------------------------------

POPULATION, DRAWN, REPEATS = 40_000, 620, 400
MODELS = {  # how the chance of a wrong answer grows as certainty falls from 1 to 0: least, most, steepness
    "good": (0.001, 0.5, 9.0),
    "as the demo expert": (0.001, 0.5, 5.0),
    "at the limit from some threshold on": (0.019, 0.2, 6.0),
    "never as good as promised": (0.025, 0.3, 3.0),
}


def population(shape: tuple[float, float, float], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Certainties and whether each answer is right, with the true risk known from all of them."""
    certainty = random.random(POPULATION)
    least, most, steepness = shape
    return certainty, random.random(POPULATION) >= least + most * (1.0 - certainty) ** steepness


def certified_on_draws(shape: tuple[float, float, float]) -> tuple[list[Chosen], list[float]]:
    """Certify on many draws from one population; return what was chosen and the true risk of what is accepted."""
    random = np.random.default_rng(2024)
    certainty, is_right = population(shape, random)
    chosen, risks = [], []
    for _ in range(REPEATS):
        drawn = random.choice(POPULATION, DRAWN + 330, replace=False)
        plan, calibration = drawn[DRAWN:], drawn[:DRAWN]
        thresholds = thresholds_to_try(certainty[plan], pictures=DRAWN, risk=RISK, confidence=CONFIDENCE)
        found = certify(
            certainty[calibration], is_right[calibration], thresholds=thresholds, risk=RISK, confidence=CONFIDENCE
        )
        chosen.append(found)
        is_accepted = certainty >= found.threshold
        risks.append(float((~is_right[is_accepted]).mean()) if found.is_certified else 0.0)
    return chosen, risks


def most_breaches() -> int:
    """More breaches than this come about in one of a thousand simulations of a promise kept at its limit."""
    return int(binom.ppf(0.999, REPEATS, 1.0 - CONFIDENCE))


@pytest.mark.parametrize("shape", MODELS.values(), ids=MODELS)
def test_the_promise_is_broken_no_more_often_than_stated(shape: tuple[float, float, float]):
    _, risks = certified_on_draws(shape)
    assert sum(risk > RISK for risk in risks) <= most_breaches()


def test_a_good_model_nearly_always_gets_its_certificate():
    chosen, _ = certified_on_draws(MODELS["good"])
    assert np.mean([found.is_certified for found in chosen]) > 0.85
    assert np.median([found.coverage for found in chosen]) > 0.75


def test_a_threshold_by_the_seen_risk_alone_breaks_the_promise_far_more_often():
    random = np.random.default_rng(2024)
    certainty, is_right = population(MODELS["as the demo expert"], random)
    breaches = 0
    for _ in range(REPEATS):
        drawn = random.choice(POPULATION, DRAWN, replace=False)
        order = drawn[np.argsort(-certainty[drawn])]
        seen = np.cumsum(~is_right[order]) / np.arange(1, DRAWN + 1)
        threshold = certainty[order][np.flatnonzero(seen <= RISK)[-1]]
        breaches += (~is_right[certainty >= threshold]).mean() > RISK
    assert breaches > 4 * most_breaches()
